import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { notRun, run } from './blocks.ts'
import { codeBlocks, filesUnder, readText, root } from './markdown.ts'

// Every block of the documentation is run by a test that blocks.ts names, or stands there with the reason why not.

/** Blocks without a language are drawings, and those in JSON are compared with answers by the tests of their pages. */
const isCode = (info: string) => info !== '' && info !== 'json'

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...(await filesUnder('docs')).filter((path) => path.endsWith('.md') && !path.startsWith('docs/ru/')),
]
const blocks = (
  await Promise.all(
    pages.map(async (page) =>
      codeBlocks(await readText(page)).flatMap(({ info, text }) =>
        isCode(info) ? [{ page, info, text }] : [],
      ),
    ),
  )
).flat()

/** Every entry of the lists, as a test of a block. */
const entries = [
  ...run.flatMap(({ test, pages: listed }) =>
    Object.entries(listed).flatMap(([page, begins]) =>
      begins === 'every block'
        ? [{ by: test, page, begin: '' }]
        : begins.map((begin) => ({ by: test, page, begin })),
    ),
  ),
  ...Object.entries(notRun).flatMap(([page, reasons]) =>
    Object.entries(reasons).map(([begin, by]) => ({ by, page, begin })),
  ),
]

const isAbout = (
  entry: { page: string; begin: string },
  block: { page: string; info: string; text: string },
) =>
  entry.page === block.page &&
  (entry.begin.startsWith('```')
    ? entry.begin.slice(3) === block.info.split(' ', 1)[0]
    : block.text.startsWith(entry.begin))

await t.test('every block is run by one test, or has a reason why it is not', (t) => {
  t.ok(blocks.length > 120, `${blocks.length} blocks`)
  for (const block of blocks) {
    const found = entries.filter((entry) => isAbout(entry, block))
    const { page, text } = block
    t.equal(found.length, 1, `${page}: ${text.split('\n', 1)[0]}: ${found.map(({ by }) => by).join(', ')}`)
  }
  t.end()
})

await t.test('every entry of the lists that names a block is about one that exists', (t) => {
  for (const entry of entries.filter(({ begin }) => !begin.startsWith('```')))
    t.ok(
      blocks.some((block) => isAbout(entry, block)),
      `${entry.page}: ${entry.begin} (${entry.by})`,
    )
  t.end()
})

await t.test('the tests exist and read the pages whose blocks they run', async (t) => {
  for (const { test, pages: listed } of run) {
    if (!t.ok(existsSync(join(root, test)), test)) continue
    const text = await readText(test)
    for (const page of Object.keys(listed))
      t.ok(text.includes(basename(page, '.md')) || text.includes('inACopy'), `${test} reads ${page}`)
  }
})
