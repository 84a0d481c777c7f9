import { styleText } from 'node:util'
import type { Static } from 'typebox'
import { Type } from 'typebox'
import { OperatorError } from '../operator-error.ts'

/** The parts of a report, in their order. */
export const groups = {
  start: 'How a login begins',
  return: 'The return address, without a login',
  login: 'A whole login',
  people: 'People with odd data',
  errors: 'What error pages say',
  traces: 'Traces of codes and states',
} as const

/**
 * - `passed`: it is right.
 * - `failed`: it must be mended.
 * - `advice`: it works, and could be better.
 * - `skipped`: it was not checked.
 */
const Status = Type.Enum(['passed', 'failed', 'advice', 'skipped'])

/** One point of a report. */
export const CaseResult = Type.Object({
  id: Type.String({ pattern: '^[a-z-]+$', description: 'Stays the same in later versions' }),
  group: Type.Enum(['start', 'return', 'login', 'people', 'errors', 'traces']),
  title: Type.String({ description: 'What holds where it is right' }),
  status: Status,
  seen: Type.Optional(Type.String({ description: 'What was seen, where it is not right' })),
  why: Type.Optional(Type.String({ description: 'Why it matters, where it is not right' })),
  change: Type.Optional(Type.String({ description: 'What to change, where it is not right' })),
  reason: Type.Optional(Type.String({ description: 'Why it was skipped' })),
})
export type CaseResult = Static<typeof CaseResult>

/** The whole report, as `--json` prints it. Neither a code or cookie nor a secret is in it, but for invented ones. */
export const Report = Type.Object({
  site: Type.Object({ id: Type.String(), name: Type.String() }),
  url: Type.String(),
  return_url: Type.String(),
  provider: Type.Union([Type.String(), Type.Null()]),
  sandbox: Type.Union([Type.String(), Type.Null()], { description: 'null: no whole login was tried' }),
  marker: Type.String({ description: 'In every invented code, which ends in "-code": search logs for it' }),
  result: Type.Enum(['passed', 'failed'], { description: 'failed: something must be mended' }),
  counts: Type.Object({
    passed: Type.Integer(),
    failed: Type.Integer(),
    advice: Type.Integer(),
    skipped: Type.Integer(),
  }),
  cases: Type.Array(CaseResult),
})
export type Report = Static<typeof Report>

/** How many of the points came out in which way. */
export function countsOf(cases: readonly CaseResult[]): Report['counts'] {
  const count = (status: CaseResult['status']) => cases.filter((one) => one.status === status).length
  return {
    passed: count('passed'),
    failed: count('failed'),
    advice: count('advice'),
    skipped: count('skipped'),
  }
}

const marks = {
  passed: { mark: '✓', colour: 'green' },
  failed: { mark: '✗', colour: 'red' },
  advice: { mark: '!', colour: 'yellow' },
  skipped: { mark: '–', colour: 'gray' },
} as const

/** The report for people, with colours where standard output is a terminal that has them. */
export function reportText(report: Report): string {
  const { site, counts, cases } = report
  const parts = Object.entries(groups).flatMap(([group, title]) => {
    const rows = cases.filter((one) => one.group === group)
    return rows.length === 0
      ? []
      : [[styleText('bold', title), ...rows.flatMap((row, at) => linesOf(row, rows[at + 1]))].join('\n')]
  })
  const head = [
    `Site check of ${site.name} (${site.id})`,
    `  begins at    ${report.url}`,
    `  returns to   ${report.return_url}`,
    `  provider     ${report.provider ?? '–'}${report.sandbox === null ? '' : `, the double of the sandbox at ${report.sandbox}`}`,
  ]
  const tail = `${counts.passed} right, ${counts.failed} to mend, ${counts.advice} could be better, ${counts.skipped} not checked`
  return `${[head.join('\n'), ...parts, tail].join('\n\n')}\n`
}

/** @param next the point after it: a reason that both have is told after the last */
function linesOf(
  { id, title, status, seen, why, change, reason }: CaseResult,
  next: CaseResult | undefined,
): string[] {
  const { mark, colour } = marks[status]
  const told = reason === next?.reason ? undefined : reason
  const more = { Seen: seen, Why: why, Change: change, 'Not checked': told }
  return [
    `  ${styleText(colour, mark)} ${title} ${styleText('dim', `(${id})`)}`,
    ...Object.entries(more).flatMap(([name, text]) =>
      text === undefined ? [] : wrapped(`${name}: ${text}`),
    ),
  ]
}

const width = 96

/** A sentence under its point, in lines of a terminal. */
function wrapped(text: string): string[] {
  const lines: string[] = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line.length > 0 && line.length + word.length >= width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map((line, index) => `      ${index === 0 ? '' : '  '}${line}`)
}

/** The site cannot be checked at all, so that there is no report. The message says why and what to do. */
export class CannotCheck extends OperatorError {
  override readonly name = 'CannotCheck'
}
