/** A point of a drawing, in its own units: pixels at full size. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** What a drawing is about, for whoever does not see it. */
export interface Description {
  readonly title: string
  readonly text: string
}

const lineHeight = 17

/** Escapes text for an element of XML. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/**
 * A whole drawing. It has a ground of its own, so that it can be read on a page of either colour, also where the page is
 * dark and the system is not; its colours follow the scheme that is preferred.
 */
export function drawing(width: number, height: number, about: Description, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title text">
<title id="title">${escape(about.title)}</title>
<desc id="text">${escape(about.text)}</desc>
<style>
svg { color-scheme: light dark; font: 13px system-ui, 'Segoe UI', Roboto, 'Noto Sans', sans-serif }
.ground { fill: #fff }
.box { fill: #f3f4f6; stroke: #6b7280 }
.strong { fill: #dbeafe; stroke: #1d4ed8 }
.end { fill: #fee2e2; stroke: #b91c1c }
.line { fill: none; stroke: #4b5563; stroke-width: 1.5 }
.answer { stroke-dasharray: 5 4 }
.life { fill: none; stroke: #d1d5db }
.head { fill: #4b5563 }
text { fill: #111827; text-anchor: middle }
.name { font-weight: 600 }
@media (prefers-color-scheme: dark) {
  .ground { fill: #1b1b1f }
  .box { fill: #2b2d33; stroke: #9ca3af }
  .strong { fill: #1e3a8a; stroke: #93c5fd }
  .end { fill: #7f1d1d; stroke: #fca5a5 }
  .line { stroke: #d1d5db }
  .life { stroke: #4b5563 }
  .head { fill: #d1d5db }
  text { fill: #f3f4f6 }
}
</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>
<rect class="ground" width="${width}" height="${height}" rx="8"/>
${parts.join('\n')}
</svg>
`
}

/** Lines of text around a point, with the ground behind them where `covered`, so that no line runs through. */
export function label(
  { x, y }: Point,
  text: string,
  options: { name?: boolean; covered?: boolean } = {},
): string {
  const lines = text.split('\n')
  const top = y - ((lines.length - 1) * lineHeight) / 2
  const spans = lines.map(
    (line, at) => `<tspan x="${x}" y="${top + at * lineHeight + 4}">${escape(line)}</tspan>`,
  )
  const element = `<text${options.name === true ? ' class="name"' : ''}>${spans.join('')}</text>`
  if (options.covered !== true) return element
  const width = Math.max(...lines.map((line) => line.length)) * 7.4 + 8
  const height = lines.length * lineHeight - 1
  return `<rect class="ground" x="${x - width / 2}" y="${y - height / 2}" width="${width}" height="${height}"/>${element}`
}

/** A straight arrow; a dashed one is an answer. */
export function arrow(from: Point, to: Point, options: { answer?: boolean } = {}): string {
  const kind = options.answer === true ? 'line answer' : 'line'
  return `<path class="${kind}" marker-end="url(#arrow)" d="M${from.x} ${from.y} ${to.x} ${to.y}"/>`
}
