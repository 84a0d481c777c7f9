import type { EndpointRequest } from './rules.ts'

/** Credentials of a client at the token endpoint (RFC 6749 §2.3.1), wherever they were put. */
export interface Credentials {
  readonly id: string
  readonly secret: string
}

/** `other`: a header of another scheme. `malformed`: Basic that cannot be read. */
export type HeaderCredentials = Credentials | 'none' | 'other' | 'malformed'

/** Reads `Authorization: Basic`; id and secret are form-encoded in it (RFC 6749 §2.3.1). */
export function basicCredentials(header: string | undefined): HeaderCredentials {
  if (header === undefined) return 'none'
  const [scheme = '', value = ''] = header.split(' ', 2)
  if (scheme.toLowerCase() !== 'basic') return 'other'
  const pair = /^(?<id>[^:]+):(?<secret>.*)$/s.exec(Buffer.from(value, 'base64').toString())?.groups
  if (pair === undefined || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return 'malformed'
  return { id: formDecode(pair['id'] ?? ''), secret: formDecode(pair['secret'] ?? '') }
}

/** `client_id` and `client_secret` in the form. */
export function bodyCredentials(form: URLSearchParams): Credentials | 'none' {
  const id = form.get('client_id')
  return id === null ? 'none' : { id, secret: form.get('client_secret') ?? '' }
}

/** The fields of a form-encoded body; none of any other. */
export function formOf({ headers, body }: EndpointRequest): URLSearchParams {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  return new URLSearchParams(type === 'application/x-www-form-urlencoded' ? body : '')
}

function formDecode(text: string): string {
  return new URLSearchParams(`v=${text.replaceAll('&', '%26')}`).get('v') ?? ''
}
