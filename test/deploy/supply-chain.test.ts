import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { validate } from 'dockerfile-utils'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import manifest from '../../package.json' with { type: 'json' }
import { productionPackages } from '../../scripts/production-packages.ts'

// What the image is made of: its recipe, its base, and every package that production loads.

const root = fileURLToPath(new URL('../..', import.meta.url))
const dockerfile = readFileSync(`${root}Dockerfile`, 'utf8')

const production = productionPackages()

/** Licences that ask for no more than a notice. */
const permissive = new Set([
  'MIT',
  'ISC',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
])

await t.test('the linter has nothing to say about the Dockerfile', async (t) => {
  t.strictSame(
    validate(dockerfile).map(({ message }) => message),
    [],
  )
  t.equal(validate(`${dockerfile}CMD again\n`).length > 0, true, 'and it does see faults')
})

await t.test('the base is pinned by its digest, and every stage comes from it', async (t) => {
  t.match(dockerfile, /^ARG BASE=node:24-slim@sha256:[0-9a-f]{64}$/m)
  const stages = Array.from(dockerfile.matchAll(/^FROM (\S+)(?: AS (\S+))?$/gm))
  const own = new Set(stages.map(([, , name]) => name))
  for (const [line, base] of stages) t.ok(/^\$\{BASE\}$/.test(base ?? '') || own.has(base), line)
})

await t.test("the image's label says the version of package.json", async (t) => {
  t.equal(/^ARG VERSION=(.*)$/m.exec(dockerfile)?.[1], manifest.version)
})

await t.test('every production package has a permissive licence and is pinned by its digest', async (t) => {
  t.ok(production.length > 100, `${production.length} packages`)
  for (const { path, license, integrity } of production) {
    t.ok(permissive.has(license), `${path}: ${license}`)
    t.match(integrity, /^sha512-/, path)
  }
})

await t.test('`npm run sbom` lists exactly the production packages, as CycloneDX', async (t) => {
  const Bom = Type.Object({
    bomFormat: Type.Literal('CycloneDX'),
    specVersion: Type.Literal('1.6'),
    components: Type.Array(
      Type.Object({
        type: Type.Literal('library'),
        purl: Type.String({ pattern: '^pkg:npm/(%40[^/@]+/)?[^/@]+@' }),
        hashes: Type.Array(
          Type.Object({
            alg: Type.Literal('SHA-512'),
            content: Type.String({ pattern: '^[0-9a-f]{128}$' }),
          }),
        ),
      }),
    ),
  })
  const said = execFileSync(process.execPath, ['scripts/sbom.ts'], { cwd: root, encoding: 'utf8' })
  const { components } = Value.Parse(Bom, JSON.parse(said))
  t.equal(components.length, production.length)
  const direct = Object.entries(manifest.dependencies).map(
    ([name, version]) => `pkg:npm/${name.replace('@', '%40')}@${version}`,
  )
  for (const purl of direct)
    t.ok(
      components.some((component) => component.purl === purl),
      purl,
    )
  t.notOk(components.some(({ purl }) => /typescript|biome|pglite/.test(purl)))
})
