import t from 'tap'
import { codeBlocks, filesUnder, links, readText, tableRows } from './markdown.ts'

// Russian and English are the same tree twice: same files, same code, same tables.

const pages = (await filesUnder('docs/en')).map((path) => path.slice('docs/en/'.length))

/** Drawings may contain words of the page's language; code that is run may not. */
const runnable = (markdown: string) => codeBlocks(markdown).filter(({ text }) => !/[▶◀]/.test(text))
/** Removes comments, placeholders, and texts that the service returns in the caller's language: they are in the language of the page. */
const comparable = (code: string) =>
  code
    .replaceAll(/(?:\/\/|^# ).*$/gm, '//')
    .replaceAll(/=<[^<>\n]+>$/gm, '=<>')
    .replaceAll(/^(\s*"(?:title|detail|user_message)": )".*"/gm, '$1""')

const headings = (markdown: string) =>
  Array.from(markdown.matchAll(/^(#+) /gm), ([, level = '']) => level.length)
const twins = [
  ...pages.map((page) => [`docs/en/${page}`, `docs/ru/${page}`] as const),
  ['README.md', 'README.ru.md'] as const,
]

await t.test('both trees have the same pages', async (t) => {
  t.strictSame(
    (await filesUnder('docs/ru')).map((path) => path.slice('docs/ru/'.length)),
    pages,
  )
})

for (const [english, russian] of twins) {
  await t.test(`${english} and ${russian}`, async (t) => {
    const [en, ru] = [await readText(english), await readText(russian)]
    const withoutComments = (markdown: string) =>
      runnable(markdown).map(({ info, text }) => ({ info, text: comparable(text) }))
    t.strictSame(withoutComments(ru), withoutComments(en), 'the same code')
    t.strictSame(headings(ru), headings(en), 'the same headings, by level')
    t.strictSame(
      tableRows(ru).map((row) => row.length),
      tableRows(en).map((row) => row.length),
      'the same tables',
    )
    t.equal(links(ru).length, links(en).length, 'as many links')
    t.match(ru, /[а-яё]{3}/i, 'Russian')
    t.notMatch(en, /[а-яё]{3}/i, 'English')
  })
}

await t.test('README.md and README.ru.md have the same commands', async (t) => {
  const commands = async (path: string) =>
    codeBlocks(await readText(path)).flatMap(({ info, text }) => (info === 'sh' ? [text] : []))
  t.strictSame(await commands('README.ru.md'), await commands('README.md'))
  t.ok((await commands('README.md')).includes('npm start\n'))
  t.ok((await commands('README.md')).includes('npm test\n'))
})
