import t from 'tap'
import { providers } from '../../plugins/index.ts'
import { runCommand } from '../../src/command-line/run.ts'
import { limits } from '../../src/http/rate-limit.ts'
import { openIdDeclaration } from '../../src/providers/openid-provider.ts'
import { codeBlocks, readText, tableRows } from './markdown.ts'
import { providerVariables } from './variables.ts'

// The operators' pages against the code: commands, limits and providers, in both languages.

/** First cell without its backticks, and the last one: name and default. */
const variableRows = (markdown: string) =>
  tableRows(markdown).flatMap((row) => {
    const name = /^`([A-Z][A-Z0-9_]*)`$/.exec(row[0] ?? '')?.[1]
    return name === undefined ? [] : [{ name, cells: row }]
  })

const byName = (one: { readonly name: string }, other: { readonly name: string }) =>
  one.name < other.name ? -1 : 1

// Read before the first test: tap ends a file that awaits something else between two tests.
const guides = await Promise.all(
  (['en', 'ru'] as const).map(async (language) => ({
    language,
    guide: await readText(`docs/${language}/operators.md`),
  })),
)

for (const { language, guide } of guides) {
  for (const provider of providers) {
    await t.test(`${language}: ${provider.name} has its page, with its variables and callback`, async (t) => {
      const page = await readText(`docs/${language}/providers/${provider.name}.md`)
      const rows = variableRows(page).map(({ name, cells: [, given = ''] }) => ({ name, given }))
      const expected = providerVariables(provider).map(({ name, fallback }) => ({
        name,
        given: fallback === undefined ? '' : `\`${fallback}\``,
      }))
      t.strictSame(rows.toSorted(byName), expected.toSorted(byName))
      t.ok(page.includes(`PUBLIC_URL/api/v1/oauth/callback/${provider.name}\n`), 'its callback URL')
      const list = tableRows(await readText(`docs/${language}/providers/index.md`))
      const row = list.find(([link = '']) => link.endsWith(`(${provider.name}.md)`)) ?? []
      t.ok(row[0]?.startsWith(`[${provider.title[language]}]`), 'the list of providers leads to it')
      t.strictSame(row.slice(1, 4), [
        `\`${provider.name}\``,
        `\`${provider.jurisdiction}\``,
        provider.gives.map((field) => `\`${field}\``).join(', '),
      ])
    })
  }

  await t.test(`${language}: the page of OpenID providers has their variables`, async (t) => {
    t.ok(guide.includes('(providers/index.md)'), 'the guide leads to the list of providers')
    const page = await readText(`docs/${language}/providers/openid.md`)
    const rows = variableRows(page).map(({ name, cells }) => ({ name, given: cells.at(-1) ?? '' }))
    const expected = providerVariables(openIdDeclaration('corp')).map(({ name, fallback }) => ({
      name,
      given: fallback === undefined ? '' : `\`${fallback}\``,
    }))
    t.strictSame(rows.toSorted(byName), expected.toSorted(byName))
  })

  await t.test(`${language}: the guides state every limit correctly`, async (t) => {
    const others = await readText(`docs/${language}/site-administrators.md`)
    for (const [name, limit] of Object.entries(limits)) {
      const number = new RegExp(`(?<!\\d)${String(limit).replace(/(000)$/, '[, ]?$1')}(?![\\d ,]*\\d)`)
      for (const text of [guide, others])
        t.ok(
          tableRows(text).some((row) => number.test(row.at(-1) ?? '')),
          `${name}: ${limit}`,
        )
    }
  })

  await t.test(`${language}: each line to paste brings its variables along`, async (t) => {
    const lines = codeBlocks(guide).flatMap(({ info, text }) => (info === 'sh' ? text.split('\n') : []))
    const started = lines.filter((line) => line.includes('src/'))
    t.ok(started.length >= 8)
    for (const line of started) t.match(line, /^(node|docker run .*) --env-file[= ]\.env /)
  })

  await t.test(`${language}: the guide lists every command`, async (t) => {
    let usage = ''
    const ignore = () => {}
    await runCommand(['--help'], { env: {}, providers, out: (text) => (usage += text), error: ignore })
    const commands = Array.from(
      usage.matchAll(/^ {2}((?:site|keys) [a-z-]+|migrate|admin-token)\b/gm),
      ([, command = '']) => command,
    )
    t.ok(commands.length >= 12, commands.join(', '))
    for (const command of commands)
      t.ok(
        tableRows(guide).some(([cell = '']) => cell.startsWith(`\`node src/cli.ts ${command}`)),
        command,
      )
    for (const [, option = ''] of usage.matchAll(/(--[a-z-]+)/g)) t.ok(guide.includes(option), option)
  })
}
