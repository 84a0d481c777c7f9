import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { diagrams } from '../../scripts/diagrams/diagrams.ts'
import { filesUnder, readText, root } from './markdown.ts'

// The drawings below docs/diagrams are made by scripts/diagrams and committed.

const made = diagrams()

await t.test('the committed drawings are what `npm run docs -- generate` draws', async (t) => {
  t.strictSame(await filesUnder('docs/diagrams'), [...made.keys()].toSorted())
  for (const [path, text] of made)
    t.equal(
      existsSync(join(root, path)) && (await readText(path)),
      text,
      `${path}: run npm run docs -- generate`,
    )
})

await t.test(
  'a drawing says in words what it shows, in the language of the pages that show it',
  async (t) => {
    for (const [path, text] of made) {
      const [, name = '', language = ''] = /([\w-]+)\.(en|ru)\.svg$/.exec(path) ?? []
      const [, title = ''] = /<title id="title">([^<]+)<\/title>/.exec(text) ?? []
      const [, words = ''] = /<desc id="text">([^<]+)<\/desc>/.exec(text) ?? []
      const cyrillic = /[а-яё]{3}/i
      t.equal(cyrillic.test(title), language === 'ru', path)
      t.ok(words.length > 100 && cyrillic.test(words) === (language === 'ru'), path)
      const pages = await Promise.all((await filesUnder(`docs/${language}`)).map(readText))
      const shown = pages.filter((page) => page.includes(`![${title}](../diagrams/${name}.${language}.svg)`))
      t.ok(shown.length > 0, `${path} is shown, with its title for those who do not see it`)
    }
  },
)

await t.test('a drawing loads nothing and fits both colour schemes', (t) => {
  for (const [path, text] of made) {
    t.notMatch(text.replace('http://www.w3.org/2000/svg', ''), /https?:|@import|<script|url\((?!#)/, path)
    t.match(text, /prefers-color-scheme: dark/, path)
  }
  t.end()
})
