import type { Step } from './flow.ts'
import type { Medians } from './measure.ts'
import { whole } from './tables.ts'

/** One row of bars: what it shows, of whom. */
interface Bar {
  readonly name: string
  readonly value: number
}

const width = 760
const labels = 210
const barHeight = 18
const rowHeight = 24
const titleHeight = 34

/** Three charts in one SVG: whole logins and refreshes a second of all, and the CPU of each step beside its floor. */
export function picture(results: Readonly<Record<string, Medians>>): string {
  const names = Object.keys(results).filter((name) => name !== 'empty Fastify' && !name.includes(' without '))
  const perSecond = (step: Step): Bar[] =>
    names
      .flatMap((name) => {
        const value = results[name]?.[step]?.perSecond
        return value === undefined ? [] : [{ name, value }]
      })
      .toSorted((one, other) => other.value - one.value)
  const cpu = (['start', 'callback', 'finish', 'refresh', 'me'] as const).flatMap((step) =>
    ['floor', 'ours'].flatMap((name) => {
      const value = results[name]?.[step]?.cpu
      return value === undefined ? [] : [{ name: `${step}, ${name}`, value }]
    }),
  )
  const charts = [
    { title: 'Whole logins a second (more is better)', bars: perSecond('login') },
    { title: 'Refreshes a second (more is better)', bars: perSecond('refresh') },
    { title: 'CPU per request, µs (less is better)', bars: cpu },
  ]
  let top = 0
  const drawn = charts.map(({ title, bars }) => {
    const chart = draw(title, bars, top)
    top += titleHeight + bars.length * rowHeight + 16
    return chart
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" role="img" font-family="system-ui, sans-serif" font-size="13">
<title>The service beside its floor and its peers</title>
<rect width="${width}" height="${top}" fill="#ffffff"/>
${drawn.join('\n')}
</svg>
`
}

function draw(title: string, bars: readonly Bar[], top: number): string {
  const longest = Math.max(...bars.map(({ value }) => value))
  const rows = bars.map(({ name, value }, index) => {
    const y = top + titleHeight + index * rowHeight
    const middle = y + barHeight / 2 + 4
    const length = Math.max(1, Math.round((value / longest) * (width - labels - 90)))
    return [
      `<text x="${labels - 8}" y="${middle}" text-anchor="end" fill="#1f2328">${escaped(name)}</text>`,
      `<rect x="${labels}" y="${y}" width="${length}" height="${barHeight}" rx="2" fill="${colorOf(name)}"/>`,
      `<text x="${labels + length + 6}" y="${middle}" fill="#1f2328">${whole(value)}</text>`,
    ].join('')
  })
  return [
    `<text x="12" y="${top + 22}" font-weight="600" fill="#1f2328">${escaped(title)}</text>`,
    ...rows,
  ].join('\n')
}

function colorOf(name: string): string {
  if (name.endsWith('ours')) return '#1a7f37'
  return name.endsWith('floor') ? '#afb8c1' : '#54aeff'
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
