import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { openapiDocument } from '../../scripts/openapi-document.ts'
import { referencePages, unusedRussian } from '../../scripts/reference/pages.ts'
import { problemNames } from '../../src/problems/table.ts'
import { startTestService } from '../support/service.ts'
import { filesUnder, readText, root, tableRows } from './markdown.ts'

// The pages below docs/*/reference are made out of the code and committed.

const pages = await referencePages()

await t.test('the committed pages are what `npm run docs -- generate` writes', async (t) => {
  const there = [...(await filesUnder('docs/en/reference')), ...(await filesUnder('docs/ru/reference'))]
  t.strictSame(there, [...pages.keys()].toSorted())
  for (const [path, text] of pages)
    t.equal(
      existsSync(join(root, path)) && (await readText(path)),
      text,
      `${path}: run npm run docs -- generate`,
    )
})

await t.test('no Russian text is left of an English one that is gone', (t) => {
  t.strictSame(unusedRussian(pages), [])
  t.end()
})

await t.test('every problem has its row, its section and its place', async (t) => {
  for (const language of ['en', 'ru']) {
    const text = pages.get(`docs/${language}/reference/problems.md`) ?? ''
    t.equal(tableRows(text).length, problemNames.length)
    for (const name of problemNames) t.match(text, new RegExp(`^### ${name}$`, 'm'))
  }
})

await t.test('the document of the site is the one that a running service has', async (t) => {
  const service = await startTestService(t)
  const served = await fetch(`${service.url}/openapi.json`)
  const document = await openapiDocument()
  t.strictSame(document, await served.json())
  const every = JSON.stringify(document)
  for (const { name } of providers) t.ok(every.includes(`"${name}"`), name)
})
