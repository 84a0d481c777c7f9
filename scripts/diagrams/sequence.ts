import type { Description } from './svg.ts'
import { arrow, drawing, label } from './svg.ts'

/** A message from one party to another, by their places in the list; one to itself is something that it does. */
export interface Message {
  readonly from: number
  readonly to: number
  readonly text: string
  /** Drawn dashed. */
  readonly answer?: boolean
}

const [step, top, column, margin] = [44, 60, 240, 90]

/** A sequence diagram: parties side by side, messages from top to bottom. */
export function sequence(
  about: Description,
  parties: readonly string[],
  messages: readonly Message[],
): string {
  const x = (party: number) => margin + party * column
  const bottom = top + (messages.length + 0.4) * step
  const lives = parties.map((name, party) =>
    [
      `<path class="life" d="M${x(party)} ${top - 14}V${bottom}"/>`,
      `<rect class="${party === 2 ? 'strong' : 'box'}" x="${x(party) - 70}" y="${top - 46}" width="140" height="32" rx="6"/>`,
      label({ x: x(party), y: top - 30 }, name, { name: true }),
    ].join('\n'),
  )
  const drawn = messages.map(({ from, to, text, answer = false }, at) => {
    const y = top + (at + 0.9) * step
    if (from === to) return label({ x: x(from), y: y - 4 }, text, { covered: true })
    const away = from < to ? 4 : -4
    return [
      arrow({ x: x(from) + away, y }, { x: x(to) - away, y }, { answer }),
      label({ x: (x(from) + x(to)) / 2, y: y - 13 }, text, { covered: true }),
    ].join('\n')
  })
  return drawing(margin * 2 + column * (parties.length - 1), bottom + 12, about, [...lives, ...drawn])
}
