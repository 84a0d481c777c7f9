import { readFileSync } from 'node:fs'
import { openapiDocument } from '../openapi-document.ts'
import { httpApiPage } from './http-api.ts'
import type { Say } from './markdown.ts'
import { cell } from './markdown.ts'
import { metricsPage } from './metrics.ts'
import { problemsPage } from './problems.ts'
import { variablesPage } from './variables.ts'

/** Russian for every English text that a page takes out of the code. */
const russian: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL('russian.json', import.meta.url), 'utf8'),
)

/**
 * The pages of the reference that are made out of the code, by their paths in the repository.
 * @throws {Error} naming every English text that has no Russian in russian.json
 */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const document = await openapiDocument()
  const missing = new Set<string>()
  const pages = new Map<string, string>()
  for (const language of ['en', 'ru'] as const) {
    const say = language === 'en' ? (english: string) => english : inRussian(missing)
    const add = (name: string, text: string) =>
      void pages.set(`docs/${language}/reference/${name}.md`, `${text.trim()}\n`)
    add('problems', problemsPage(language, document))
    add('http-api', httpApiPage(language, say, document))
    add('variables', variablesPage(language, say))
    add('metrics', metricsPage(language, say))
  }
  if (missing.size > 0)
    throw new Error(
      `Put the Russian of these texts into scripts/reference/russian.json:\n${[...missing].join('\n')}`,
    )
  return pages
}

function inRussian(missing: Set<string>): Say {
  return (english) => {
    const text = russian[english]
    if (text === undefined) missing.add(english)
    return text ?? english
  }
}

/** English texts in russian.json whose Russian none of these pages has. */
export function unusedRussian(pages: ReadonlyMap<string, string>): readonly string[] {
  const all = [...pages.values()].join('\n')
  return Object.entries(russian).flatMap(([english, text]) => (all.includes(cell(text)) ? [] : [english]))
}
