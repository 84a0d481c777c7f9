import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
import { problems } from '../../src/problems/table.ts'
import { problemTexts } from '../../src/problems/texts.ts'
import { get } from '../support/login-flow.ts'
import { startTestService } from '../support/service.ts'

const service = await startTestService(t)
const names = Object.keys(problems)

t.test('table, texts and pages agree, in both languages', async (t) => {
  for (const language of ['en', 'ru'] as const) {
    t.strictSame(Object.keys(problemTexts[language]).toSorted(), names.toSorted())
    for (const name of names) {
      const page = await get(service, `/problems/${name}`, { 'accept-language': language })
      t.equal(page.status, 200, name)
      t.match(page.text, `<html lang="${language}">`)
      t.match(page.text, `urn:auth-movies:problem:${name}`)
      t.match(page.headers.get('content-security-policy'), /default-src 'none'/)
    }
    const index = await get(service, `/problems/?lang=${language}`)
    for (const name of names) t.match(index.text, `href="/problems/${name}?lang=${language}"`)
  }
})

t.test('a name that is not in the table has no page (404)', async (t) => {
  for (const name of ['nothing', '__proto__', 'constructor'])
    t.equal((await get(service, `/problems/${name}`)).status, 404)
})

t.test('every problem of the table is thrown somewhere, and nothing else is', async (t) => {
  const files = (await readdir('src', { recursive: true })).filter((file) => file.endsWith('.ts'))
  const sources = await Promise.all(
    files
      .filter((file) => !/^problems\/(table|en|ru)\.ts$/.test(file))
      .map((file) => readFile(`src/${file}`, 'utf8')),
  )
  const code = sources.join('\n')
  for (const name of names) t.match(code, `'${name}'`, name)
})
