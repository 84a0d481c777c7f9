import { readFile, writeFile } from 'node:fs/promises'
import { picture } from './picture.ts'
import type { AllResults, Measured, Parts } from './results.ts'
import { partNames, readResults } from './results.ts'
import { sections } from './sections.ts'

const page = new URL('../docs/performance.md', import.meta.url)
const image = new URL('../docs/performance.svg', import.meta.url)

/** Writes the last results of each part into docs/performance.md, and draws the picture. */
export async function document(results: AllResults): Promise<void> {
  await writeFile(page, withResults(await readFile(page, 'utf8'), results))
  if (results.steps !== undefined) await writeFile(image, picture(results.steps.results))
}

/**
 * The text of the page with these results between its markers; a part without results stays as it is.
 * @throws {Error} where the page has no markers for a part
 */
export function withResults(text: string, results: AllResults): string {
  let page = text
  for (const name of partNames) page = withSection(page, name, results[name])
  return page
}

function withSection<Name extends keyof Parts>(
  text: string,
  name: Name,
  measured: Measured<Parts[Name]> | undefined,
): string {
  return measured === undefined ? text : between(text, name, sections[name](measured))
}

function between(text: string, name: string, section: string): string {
  const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/performance.md has no place for ${name}.`)
  return `${text.slice(0, from + begin.length)}\n\n${section}\n\n${text.slice(to)}`
}

if (import.meta.main) await document(await readResults())
