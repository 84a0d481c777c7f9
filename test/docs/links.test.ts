import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'
import { isRelative, resolveLink } from '../../docs/.vitepress/links.ts'
import { anchors, filesUnder, links, readText, root } from './markdown.ts'

const files = await filesUnder('.')
const documents = files.filter((path) => path.endsWith('.md'))

await t.test('every relative link leads to an existing file and heading', async (t) => {
  t.ok(documents.length > 20, `${documents.length} documents`)
  for (const document of documents) {
    for (const link of links(await readText(document))) {
      if (/^(https?|mailto):/.test(link)) continue
      const [path = '', anchor] = link.split('#', 2)
      const target = path === '' ? document : normalize(join(dirname(document), path))
      if (!t.ok(existsSync(join(root, target)), `${document}: ${link}`) || anchor === undefined) continue
      t.ok(
        anchors(await readText(target)).has(decodeURIComponent(anchor)),
        `${document}: ${link}, the heading`,
      )
    }
  }
})

await t.test('a link of a page has words: its path tells readers of the site nothing', async (t) => {
  let count = 0
  for (const page of files.filter((path) => /^docs\/.*\.md$/.test(path)))
    for (const [, text = '', target = ''] of (await readText(page)).matchAll(/\[([^\]]+)\]\(([^()\s]+)\)/g)) {
      count += 1
      t.not(text, target, page)
    }
  t.ok(count > 500, `${count} links`)
})

await t.test('no page links to a folder, which the site cannot show', async (t) => {
  for (const page of files.filter((path) => /^docs\/.*\.md$/.test(path)))
    for (const link of links(await readText(page)))
      if (isRelative(link))
        t.doesNotThrow(() => resolveLink(page.slice('docs/'.length), link.split('#', 1)[0] ?? ''))
  t.throws(() => resolveLink('en/why.md', '../../src/'), {
    message: /en\/why\.md: the link .* leads to a folder/,
  })
})

await t.test('every source file that a document names exists', async (t) => {
  const named = /`((?:src|plugins|sandbox|test|scripts|bench|prisma)\/[\w./-]+)`/g
  let count = 0
  for (const document of documents.filter((path) => path !== 'CHANGELOG.md'))
    for (const [, path = ''] of (await readText(document)).matchAll(named)) {
      // A placeholder for a name that the reader chooses.
      if (path.includes('NAME')) continue
      count += 1
      t.ok(existsSync(join(root, path)), `${document} names ${path}`)
    }
  t.ok(count > 30, `${count} names`)
})

await t.test('links elsewhere are https', async (t) => {
  for (const document of documents)
    for (const link of links(await readText(document))) t.notMatch(link, /^http:/, `${document}: ${link}`)
})

await t.test('every decision that is named anywhere exists, and the index lists all', async (t) => {
  const named = /docs\/decisions\/[\w.-]+\.md/g
  let count = 0
  for (const file of files.filter((path) =>
    /\.(ts|cjs|js|json|ya?ml|md|prisma|sql|sh)$|Dockerfile$/.test(path),
  ))
    for (const [path] of (await readText(file)).matchAll(named)) {
      count += 1
      t.ok(existsSync(join(root, path)), `${file} names ${path}`)
    }
  t.ok(count > 2, 'comments do name some')
  const listed = links(await readText('docs/decisions/README.md')).filter((link) => /^\d/.test(link))
  const there = files.filter((path) => /^docs\/decisions\/\d{4}-[\w-]+\.md$/.test(path))
  t.strictSame(
    listed.toSorted(),
    there.map((path) => path.slice('docs/decisions/'.length)),
  )
})

await t.test('a decision has a question, a choice and a cost, under its number', async (t) => {
  for (const path of documents.filter((document) => /^docs\/decisions\/\d/.test(document))) {
    const text = await readText(path)
    t.match(text, new RegExp(`^# ${Number(path.slice('docs/decisions/'.length).slice(0, 4))}\\. `), path)
    for (const part of ['**Question.**', '**Choice.**', '**Cost.**'])
      t.ok(text.includes(part), `${path}: ${part}`)
    t.ok(text.split('\n').length <= 40, `${path} is short`)
  }
})

await t.test('the folders that README maps exist', async (t) => {
  for (const document of ['README.md', 'README.ru.md']) {
    const rows = Array.from(
      (await readText(document)).matchAll(/^\| (`[^|]*`) \|/gm),
      ([, cell = '']) => cell,
    )
    for (const [, path = ''] of rows.join(' ').matchAll(/`([\w./-]+\/[\w./-]*)`/g))
      t.ok(existsSync(join(root, path)), `${document}: ${path}`)
  }
})
