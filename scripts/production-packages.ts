import { readFileSync } from 'node:fs'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const Lockfile = Type.Object({
  packages: Type.Record(
    Type.String(),
    Type.Object({
      version: Type.Optional(Type.String()),
      license: Type.Optional(Type.String()),
      integrity: Type.Optional(Type.String()),
      dev: Type.Optional(Type.Boolean()),
      optional: Type.Optional(Type.Boolean()),
      devOptional: Type.Optional(Type.Boolean()),
    }),
  ),
})

/** A package that the image holds, as package-lock.json pins it. */
export interface ProductionPackage {
  /** Its folder: `node_modules/@fastify/jwt`. */
  readonly path: string
  readonly name: string
  readonly version: string
  /** An SPDX expression; empty where the package states none. */
  readonly license: string
  /** Its digest as npm writes it: `sha512-` and base64. */
  readonly integrity: string
}

/** Every package that `npm ci --omit=dev --omit=optional` installs, by its folder. */
export function productionPackages(): ProductionPackage[] {
  const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')
  const { packages } = Value.Parse(Lockfile, JSON.parse(text))
  return Object.entries(packages).flatMap(([path, { dev, optional, devOptional, ...found }]) => {
    if (path === '' || dev === true || optional === true || devOptional === true) return []
    const { version = '', license = '', integrity = '' } = found
    return [{ path, name: path.slice(path.lastIndexOf('node_modules/') + 13), version, license, integrity }]
  })
}
