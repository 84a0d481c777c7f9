import type { FastifyRequest } from 'fastify'
import type { Answer, CommonSwitches, DoublePerson, Endpoint } from './double.ts'
import type { Grant, Grants } from './grants.ts'

/** A text in both languages of the sandbox. */
export interface Title {
  readonly ru: string
  readonly en: string
}

/** The one application that is registered at a double. */
export interface Client {
  readonly id: string
  readonly secret: string
}

/** What is wrong with an authorization request: an error page, or an error for the client (RFC 6749 §4.1.2.1). */
export type AuthorizationFlaw =
  | { readonly page: string; readonly status: number }
  | { readonly error: string; readonly description?: string }

/** A double's own state, handed to its rules. */
export interface Context<Switches extends CommonSwitches> {
  /** The base of all addresses: known once the server listens. */
  readonly origin: string
  readonly client: Client
  readonly grants: Grants
  readonly switches: Switches
}

/** A request at an endpoint of a double, with its body as sent. */
export interface EndpointRequest {
  readonly headers: FastifyRequest['headers']
  readonly query: URLSearchParams
  readonly body: string
}

/** A further address of a double. */
export interface Route<Switches extends CommonSwitches> {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** The name by which a fault can be put there. */
  readonly endpoint?: Endpoint
  readonly answer: (request: EndpointRequest, context: Context<Switches>) => Answer | Promise<Answer>
}

/** Everything in which one provider's double differs from another's. */
export interface Rules<Switches extends CommonSwitches> {
  readonly name: string
  readonly title: Title
  /** Whether its profile says that an email is verified. */
  readonly vouchesForEmail: boolean
  readonly client: Client
  readonly paths: { readonly authorize: string; readonly token: string; readonly userinfo: string }
  /** What the page for a wrong client or redirect URI says, and with which status. */
  readonly pages: { readonly client: AuthorizationFlaw; readonly redirectUri: AuthorizationFlaw }
  /** What the application may ask for; also granted where the request names no scope, if so registered. */
  readonly defaultScopes: readonly string[]
  /** Whether the authorization request may leave out `redirect_uri` (RFC 6749 §3.1.2.3). */
  readonly redirectUriOptional: boolean
  switches(): Switches
  /** Further variables that lead the service here. */
  env(origin: string): Readonly<Record<string, string>>
  /** What is wrong beyond client and redirect URI. */
  flaw(query: URLSearchParams, context: Context<Switches>): AuthorizationFlaw | undefined
  mintCode(): string
  /** The callback's parameters after "Allow", in the provider's order; `state` is added where it was sent. */
  callback(grant: Grant, context: Context<Switches>): readonly (readonly [string, string])[]
  /** Those after "Deny" or a flaw; `state` likewise. */
  refusal(error: string, description?: string): readonly (readonly [string, string])[]
  token(request: EndpointRequest, context: Context<Switches>): Answer | Promise<Answer>
  userinfo(request: EndpointRequest, context: Context<Switches>): Answer
  readonly routes: readonly Route<Switches>[]
}

/** A person's userinfo fields with the overrides laid over. */
export function profileFields(
  person: DoublePerson,
  fields: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return { ...fields, ...person.raw }
}

/** The switches that all doubles have, as they stand at first. */
export const commonSwitches = (): CommonSwitches => ({
  codeLifetime: 600,
  accessTokenLifetime: 3600,
  refuseWith: undefined,
  callback: undefined,
  forgetClient: false,
  tokenFields: {},
  person: {},
})
