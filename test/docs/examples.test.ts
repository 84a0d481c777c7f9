import t from 'tap'
import { codeBlocks, filesUnder, readText } from './markdown.ts'

// The pages of whole sites show the files that test/examples drives, to the letter.

const files = (await filesUnder('examples')).filter((path) => /\.(mjs|py|php|go|java|xml)$/.test(path))

for (const language of ['en', 'ru'])
  t.test(`docs/${language}/examples.md shows every file of examples/ as it is`, async (t) => {
    const shown = codeBlocks(await readText(`docs/${language}/examples.md`)).filter(
      ({ info }) => info !== 'sh',
    )
    const there = await Promise.all(files.map(readText))
    t.ok(there.length > 2)
    t.strictSame(shown.map(({ text }) => text).toSorted(), there.toSorted())
  })

/** Lines of code that an example may have: more only where the language has no way to say it shorter, as the page explains. */
const limits: Readonly<Record<string, number>> = {
  'examples/go/main.go': 245,
  'examples/java/Site.java': 245,
}

t.test('an example stays short enough to be read at once', async (t) => {
  for (const path of files) {
    const code = linesOfCode(await readText(path))
    const limit = limits[path] ?? 150
    t.ok(code > 10 && code <= limit, `${path}: ${code} lines of code, at most ${limit}`)
    // A limit of its own that is far from what the file needs would hold nothing.
    t.ok(limit === 150 || code > limit - 10, `${path}: its limit is near`)
  }
})

t.test('every example begins with what it is and how to run it, in at most six lines', async (t) => {
  for (const path of files.filter((path) => !path.endsWith('.xml'))) {
    const [, comment = ''] = /^(?:<\?php\n)?((?:(?:\/\/|#).*\n)+)/.exec(await readText(path)) ?? []
    const lines = comment.trimEnd().split('\n').length
    t.ok(lines <= 6, `${path}: ${lines} lines`)
    t.match(comment, /npm start/, path)
    t.match(comment, /For production/, path)
  }
})

/** Without blank lines and comments. */
function linesOfCode(text: string): number {
  const withoutBlocks = text.replaceAll(/^[ \t]*(?:\/\*\*?[^]*?\*\/|"""[^]*?"""|<!--[^]*?-->)[ \t]*$/gm, '')
  return withoutBlocks.split('\n').filter((line) => !/^\s*(?:$|\/\/|#)/.test(line)).length
}
