import { readdir, readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join, relative } from 'node:path'

interface Measure {
  readonly total: number
  readonly covered: number
}

interface FileCoverage {
  readonly lines: Measure
  readonly branches: Measure
}

const folders = ['src', 'plugins']

/**
 * Compares tap's report with the minimum, in percent of all of src/ and plugins/. A file that no test loads counts as
 * uncovered.
 * @returns one sentence per missed minimum, with the files that lack most
 */
export async function coverageProblems(minimum: {
  readonly lines: number
  readonly branches: number
}): Promise<string[]> {
  const files = await withCode()
  const reported = await report()
  const rows = await Promise.all(
    files.map(async (file) => ({ file, ...(reported.get(file) ?? (await uncovered(file))) })),
  )
  return (['lines', 'branches'] as const).flatMap((kind) => {
    const total = sum(rows.map((row) => row[kind].total))
    const percent = total === 0 ? 0 : (100 * sum(rows.map((row) => row[kind].covered))) / total
    process.stdout.write(`coverage of ${kind}: ${percent.toFixed(1)} % (at least ${minimum[kind]} %)\n`)
    if (percent >= minimum[kind]) return []
    const worst = rows
      .map((row) => ({ file: row.file, left: row[kind].total - row[kind].covered }))
      .toSorted((a, b) => b.left - a.left)
      .slice(0, 8)
      .map(({ file, left }) => `${file} (${left})`)
    return [
      `Coverage of ${kind} is ${percent.toFixed(1)} %, below ${minimum[kind]} %; uncovered: ${worst.join(', ')}.`,
    ]
  })
}

async function report(): Promise<Map<string, FileCoverage>> {
  const text = await readFile('.tap/report/coverage-summary.json', 'utf8').catch(() => '{}')
  const summary: Record<string, FileCoverage> = JSON.parse(text)
  return new Map(Object.entries(summary).map(([path, row]) => [relative(process.cwd(), path), row]))
}

/** Every source file that contains code: a file with only types is never loaded. */
async function withCode(): Promise<string[]> {
  const found: string[] = []
  for (const folder of folders)
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const file = join(entry.parentPath, entry.name)
      if (entry.isFile() && file.endsWith('.ts') && (await hasCode(file))) found.push(file)
    }
  return found
}

async function hasCode(file: string): Promise<boolean> {
  const code = stripTypeScriptTypes(await readFile(file, 'utf8'))
  return /\S/.test(code.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|export \{\};?/g, ''))
}

async function uncovered(file: string): Promise<FileCoverage> {
  const lines = (await readFile(file, 'utf8')).split('\n').length
  return { lines: { total: lines, covered: 0 }, branches: { total: 1, covered: 0 } }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
