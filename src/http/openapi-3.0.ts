/** Any JSON, as it stands in a document. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * The 3.0.3 twin of a 3.1 document, for generators that know no newer one. Only what our schemas use is
 * translated: a union with null becomes `nullable`, `const` an `enum` of one, a schema's `examples` its first one
 * as `example`, and the licence's SPDX id an address.
 */
export function toOpenapi30(document: Json): Json {
  const translated = translate(document)
  if (!isObject(translated) || !isObject(translated.info)) throw new TypeError('not an OpenAPI document')
  const { license: _license, ...info } = translated.info
  return {
    ...translated,
    openapi: '3.0.3',
    info: { ...info, license: { name: 'MIT', url: 'https://opensource.org/license/mit' } },
  }
}

function translate(node: Json): Json {
  if (Array.isArray(node)) return node.map(translate)
  if (!isObject(node)) return node
  const { anyOf, const: constant, examples, ...others } = node
  // A list stands in a schema; the `examples` of a body or a parameter are a map, which 3.0 knows too.
  const rest = Array.isArray(examples)
    ? { ...others, example: examples[0] ?? null }
    : examples === undefined
      ? others
      : { ...others, examples }
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
