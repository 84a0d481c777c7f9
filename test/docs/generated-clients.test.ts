import t from 'tap'
import { openapiGenerator } from '../support/tools.ts'
import { codeBlocks, readText } from './markdown.ts'

for (const language of ['en', 'ru'])
  await t.test(`${language}: what the guide installs is what the tests run`, async (t) => {
    const blocks = codeBlocks(await readText(`docs/${language}/generated-clients.md`)).map(({ text }) => text)
    const jar = `/openapi-generator-cli/${openapiGenerator}/openapi-generator-cli-${openapiGenerator}.jar\n`
    t.ok(
      blocks.some((text) => text.endsWith(jar)),
      'the release of openapi-generator',
    )
    const client = blocks.find((text) => text.includes('createClient<paths>')) ?? ''
    const imported = Array.from(client.matchAll(/ from '([^']+)'$/gm), ([, name]) => name)
    t.strictSame(imported, ['openapi-fetch', './schema'], 'the sample imports what it uses')
    t.ok(blocks.some((text) => /^npm install openapi-fetch$/m.test(text)))
  })
