import type { Description, Point } from './svg.ts'
import { arrow, drawing, label } from './svg.ts'

/** A box of a graph, by its middle. */
export interface Node extends Point {
  readonly text: string
  readonly kind?: 'box' | 'strong' | 'end'
  readonly width?: number
}

/** An arrow between two boxes, by their names. */
export interface Edge {
  readonly from: string
  readonly to: string
  readonly text?: string
  /** Moves the whole arrow sideways, for two boxes with an arrow each way. */
  readonly aside?: Point
}

const boxHeight = 48
const boxWidth = 150

/** A graph of boxes and arrows, at the places given. */
export function graph(
  size: { readonly width: number; readonly height: number },
  about: Description,
  nodes: Readonly<Record<string, Node>>,
  edges: readonly Edge[],
): string {
  const at = (name: string): Node => {
    const node = nodes[name]
    if (node === undefined) throw new Error(`There is no box ${name}.`)
    return node
  }
  const arrows = edges.map(({ from, to, text = '', aside = { x: 0, y: 0 } }) => {
    const moved = ({ x, y }: Point) => ({ x: x + aside.x, y: y + aside.y })
    const [start, end] = [moved(border(at(from), at(to))), moved(border(at(to), at(from)))]
    const middle = { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 }
    return { line: arrow(start, end), words: text === '' ? '' : label(middle, text, { covered: true }) }
  })
  const boxes = Object.values(nodes).map(({ x, y, text, kind = 'box', width = boxWidth }) =>
    [
      `<rect class="${kind}" x="${x - width / 2}" y="${y - boxHeight / 2}" width="${width}" height="${boxHeight}" rx="8"/>`,
      label({ x, y }, text),
    ].join('\n'),
  )
  const parts = [...arrows.map(({ line }) => line), ...boxes, ...arrows.map(({ words }) => words)]
  return drawing(
    size.width,
    size.height,
    about,
    parts.filter((part) => part !== ''),
  )
}

/** Where the line from the middle of a box to that of another leaves it. */
function border({ x, y, width = boxWidth }: Node, to: Point): Point {
  const [dx, dy] = [to.x - x, to.y - y]
  const scale = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : (width / 2 + 3) / Math.abs(dx),
    dy === 0 ? Number.POSITIVE_INFINITY : (boxHeight / 2 + 3) / Math.abs(dy),
  )
  return { x: round(x + dx * scale), y: round(y + dy * scale) }
}

const round = (length: number) => Math.round(length * 10) / 10
