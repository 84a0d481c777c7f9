import t from 'tap'
import { codeBlocks, filesUnder, readText } from './markdown.ts'

// The pages of whole sites show the files that test/examples drives, to the letter.

const files = (await filesUnder('examples')).filter((path) => /\.(mjs|py|php|go|java)$/.test(path))

for (const language of ['en', 'ru'])
  t.test(`docs/${language}/examples.md shows every file of examples/ as it is`, async (t) => {
    const shown = codeBlocks(await readText(`docs/${language}/examples.md`)).filter(
      ({ info }) => info !== 'sh',
    )
    const there = await Promise.all(files.map(readText))
    t.ok(there.length > 2)
    t.strictSame(shown.map(({ text }) => text).toSorted(), there.toSorted())
  })
