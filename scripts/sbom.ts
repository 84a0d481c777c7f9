// `npm run sbom`: the packages of the image as a CycloneDX 1.6 document on standard output. Made from package-lock.json,
// since `npm sbom --omit dev` leaves out packages that production and development share.

import manifest from '../package.json' with { type: 'json' }
import { productionPackages } from './production-packages.ts'

const purl = (name: string, version: string) => `pkg:npm/${name.replace('@', '%40')}@${version}`

const components = productionPackages().map(({ path, name, version, license, integrity }) => ({
  type: 'library',
  'bom-ref': path,
  name,
  version,
  purl: purl(name, version),
  licenses: [{ expression: license }],
  hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.slice(7), 'base64').toString('hex') }],
}))

const { name, version, description, license } = manifest
const document = {
  $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  metadata: {
    component: {
      type: 'application',
      'bom-ref': name,
      name,
      version,
      description,
      purl: purl(name, version),
      licenses: [{ license: { id: license } }],
    },
  },
  components,
}
process.stdout.write(`${JSON.stringify(document, null, 2)}\n`)
