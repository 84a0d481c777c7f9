import { parse } from 'node:querystring'
import { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import formbody from '@fastify/formbody'
import '@fastify/swagger'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { accepted, bodyMembers } from './bodies.ts'
import { Problem } from './problem.ts'

/** Bytes of a request body, in every encoding. */
export const bodyLimit = 16_384

/** Fields that one body may hold: far more than any site's own parameters beside the login's. */
const fieldLimit = 1_000

/** In place of a value, where a part of a multipart body came as a file: no schema takes it for a text. */
export class FilePart {
  readonly isFile = true
}

/**
 * Bodies: urlencoded and multipart forms become the same flat object, a name that comes twice an array, so
 * that the route's schema refuses a known one and ignores an unknown one. A route with a form in its schema's
 * `consumes` takes JSON as well, and nothing else (415). An optional parameter without a value counts as omitted
 * (RFC 6749 §3.1), in each of them.
 */
export const forms = fp(async (app: FastifyInstance) => {
  await app.register(formbody, { bodyLimit, parser: readQuery })
  // Read whole first: Fastify's own body limit holds then, as it does for every other type.
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer', bodyLimit },
    (request: FastifyRequest, body: Buffer) => multipart(request.headers['content-type'], body),
  )
  app.addHook('preParsing', async (request, _reply, payload) => {
    const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
    const consumes = request.routeOptions.schema?.consumes
    const refused =
      (type !== undefined && consumes !== undefined && !accepted(request).includes(type)) ||
      isEncoded(request.headers['content-encoding'])
    if (refused)
      throw new Problem('unsupported-media-type', { values: { accepted: accepted(request).join(', ') } })
    return payload
  })
  app.addHook('preValidation', async (request) => {
    const { body } = request
    if (request.routeOptions.schema?.consumes === undefined || typeof body !== 'object' || body === null)
      return
    const { known, required } = bodyMembers(request)
    for (const [name, value] of Object.entries(body))
      if (value === '' && known.has(name) && !required.has(name)) Reflect.deleteProperty(body, name)
  })
})

/**
 * Reads a query or an urlencoded body; a name that comes twice becomes a list. What is percent-encoded but no UTF-8
 * becomes U+FFFD, as in every framework, so that nobody takes it for a text with percent signs.
 */
export function readQuery(text: string): NodeJS.Dict<string | string[]> {
  return parse(text, '&', '=', { maxKeys: 0 })
}

/** Codings are named in any case, in a list where there are several (RFC 9110 §8.4); `identity` is none. */
function isEncoded(codings: string | undefined): boolean {
  const names = codings?.split(',').map((name) => name.trim().toLowerCase()) ?? []
  return names.some((name) => name !== '' && name !== 'identity')
}

type Field = string | FilePart | (string | FilePart)[]

/** @throws {Problem} malformed-request for a body that is cut short or has no boundary */
async function multipart(contentType: string | undefined, body: Buffer): Promise<Record<string, Field>> {
  const fields = new Map<string, Field>()
  const add = (name: string, value: string | FilePart) => {
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : [before, value].flat())
  }
  try {
    const parser = new Busboy({
      headers: { 'content-type': contentType ?? '' },
      // Some clients give each part a type, and some an empty file name: only a real one makes a file.
      isPartAFile: (_name, _type, fileName) => fileName !== undefined && fileName !== '',
      limits: { fieldSize: bodyLimit, fields: fieldLimit, files: fieldLimit, parts: fieldLimit },
    })
    parser.on('field', add)
    parser.on('file', (name, file) => {
      add(name, new FilePart())
      // A file part that is cut short fails by itself, beside the parser: unheard, its error would end the process.
      file.on('error', () => {}).resume()
    })
    const done = new Promise((resolve, reject) => parser.once('finish', resolve).on('error', reject))
    Readable.from([body]).pipe(parser)
    await done
  } catch (error) {
    throw new Problem('malformed-request', { cause: error })
  }
  return Object.fromEntries(fields)
}
