/** Any JSON, as it stands in a document. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * The 3.0.3 twin of a 3.1 document, for generators that know no newer one. Only what our schemas use is
 * translated: a union with null becomes `nullable`, `const` an `enum` of one, and the licence loses its SPDX id
 * (a member that 3.0 does not know).
 */
export function toOpenapi30(document: Json): Json {
  const translated = translate(document)
  if (!isObject(translated) || !isObject(translated.info)) throw new TypeError('not an OpenAPI document')
  const { license: _license, ...info } = translated.info
  return { ...translated, openapi: '3.0.3', info: { ...info, license: { name: 'MIT' } } }
}

function translate(node: Json): Json {
  if (Array.isArray(node)) return node.map(translate)
  if (!isObject(node)) return node
  const { anyOf, const: constant, ...rest } = node
  const members = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, translate(value)]))
  if (constant !== undefined) return { ...members, enum: [constant] }
  if (!Array.isArray(anyOf)) return members
  const options = anyOf.filter((option) => !(isObject(option) && option.type === 'null')).map(translate)
  const nullable = options.length < anyOf.length
  const [only] = options
  if (options.length === 1 && isObject(only))
    return '$ref' in only ? { ...members, allOf: [only], nullable } : { ...only, ...members, nullable }
  return { ...members, anyOf: options, ...(nullable && { nullable }) }
}

function isObject(node: Json | undefined): node is { readonly [key: string]: Json } {
  return typeof node === 'object' && node !== null && !Array.isArray(node)
}
