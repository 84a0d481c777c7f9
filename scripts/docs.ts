// `npm run docs` builds the site of the documentation into docs/.vitepress/dist; `npm run docs -- dev` and
// `npm run docs -- preview` serve it, at another port with `--port N`; `npm run docs -- generate` writes the pages and drawings that are made by scripts,
// which are committed, as the repository shows them too. VitePress has a package.json of its own in docs/, whose packages are installed
// here when its lockfile has changed, so that nobody else waits for them.

import { cp, glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isRelative, resolveLink } from '../docs/.vitepress/links.ts'
import { diagrams } from './diagrams/diagrams.ts'
import { openapiDocument } from './openapi-document.ts'
import { installOwnPackages, runIn } from './own-packages.ts'
import { referencePages } from './reference/pages.ts'

const repository = fileURLToPath(new URL('..', import.meta.url))
const docs = join(repository, 'docs')

const [task = 'build', ...options] = process.argv.slice(2)
if (task === 'generate') await generate()
else {
  await installOwnPackages(docs, 'VitePress')
  await fillPublicFolder()
  const code = runIn(docs, join(docs, 'node_modules/.bin/vitepress'), [task, '.', ...options])
  if (task === 'build' && code === 0)
    process.stdout.write('The site is in docs/.vitepress/dist. To look at it: npm run docs -- preview\n')
  process.exitCode = code
}

async function generate(): Promise<void> {
  for (const [path, text] of [...(await referencePages()), ...diagrams()]) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}

/** Puts what is served beside the pages into docs/public: the OpenAPI document, and the files that pages link to. */
async function fillPublicFolder(): Promise<void> {
  const folder = join(docs, 'public')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  await writeFile(join(folder, 'openapi.json'), `${JSON.stringify(await openapiDocument(), null, 2)}\n`)
  for await (const page of glob('**/*.md', { cwd: docs, exclude: ['node_modules'] })) {
    const text = await readFile(join(docs, page), 'utf8')
    for (const [, link = ''] of text.matchAll(/(?<!!)\[[^\]]*\]\(([^()\s#]+)/g)) {
      const target = isRelative(link) ? resolveLink(page, link) : undefined
      if (target?.kind !== 'file') continue
      const copy = join(folder, target.address)
      await mkdir(dirname(copy), { recursive: true })
      await cp(join(repository, target.path), copy)
    }
  }
}
