import t from 'tap'
import { kinds } from '../../docs/.vitepress/navigation.ts'
import { filesUnder } from './markdown.ts'

// The site's menu and sidebar are made of docs/.vitepress/navigation.ts.

await t.test(
  'every page stands in one group of the navigation, and every group has pages that exist',
  async (t) => {
    const pages = (await filesUnder('docs/en'))
      .filter((path) => path.endsWith('.md') && path !== 'docs/en/index.md')
      .map((path) => path.slice('docs/en/'.length, -'.md'.length))
    const listed = kinds.flatMap(({ groups }) => groups.flatMap((group) => group.pages))
    const translated = listed.filter((page) => !page.startsWith('/'))
    t.strictSame(translated.toSorted(), pages.toSorted(), 'add a new page to docs/.vitepress/navigation.ts')
  },
)
