import type { IncomingHttpHeaders } from 'node:http'
import type { Fault } from './faults.ts'

/** Where a fault or a ready answer can be put. */
export type Endpoint = 'token' | 'userinfo' | 'jwks'

/** A request as it reached a double, so that a test can see where credentials, code and token were put. */
export interface RecordedRequest {
  readonly method: string
  /** Without the prefix under which the double is mounted: '/token'. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  /** As sent; '' where there was none. */
  readonly body: string
}

/** A ready answer, byte for byte. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/** A person with an account at every provider. */
export interface DoublePerson {
  /** Digits, as all three providers have them; `raw` makes it a number or takes it away. */
  readonly id: string
  readonly login: string
  readonly name: string
  /** null: an account made by phone or through a social network. */
  readonly email: string | null
  /** Google alone says so. */
  readonly emailVerified: boolean
  readonly sex: 'female' | 'male' | null
  /** YYYY-MM-DD with zeros for what is unknown, as Yandex has it. */
  readonly birthday: string | null
  /** Google Workspace's domain (`hd`). */
  readonly workspace: string | null
  /**
   * Fields of the userinfo answer as they shall be: each replaces the provider's own of that name,
   * `undefined` takes it away, a bigint becomes a bare number of any length.
   */
  readonly raw: Readonly<Record<string, unknown>>
}

/** A callback that a correct client must survive or refuse. */
export type SpoiledCallback =
  | 'no-state'
  | 'changed-state'
  | 'repeated-state'
  | 'repeated-code'
  | 'code-and-error'
  | 'neither'

/** What can be switched at every double; each provider adds its own. They hold until set back. */
export interface CommonSwitches {
  /** Seconds; 0 makes every code expired. All three documents that say anything say ten minutes. */
  codeLifetime: number
  /** Seconds after which userinfo refuses the token (`expires_in` says what the provider always says). */
  accessTokenLifetime: number
  /** The authorization endpoint answers at once with this `error`, without a page. */
  refuseWith: string | undefined
  callback: SpoiledCallback | undefined
  /** The token endpoint no longer knows the client: its secret was changed at the provider. */
  forgetClient: boolean
  /** Replaces fields of a successful token answer, as `DoublePerson.raw` does. */
  tokenFields: Readonly<Record<string, unknown>>
  /** Changes whoever logs in. */
  person: Partial<DoublePerson>
}

/** A provider's double: its endpoints over HTTP, and the levers that tests and the sandbox's menu pull. */
export interface ProviderDouble<Switches extends CommonSwitches = CommonSwitches> {
  /** 'yandex': the value of `provider`. */
  readonly name: string
  /** `http://127.0.0.1:PORT`, with the prefix where the double is mounted under one. */
  readonly origin: string
  /** The variables that lead the service here: `YANDEX_CLIENT_ID`, `YANDEX_TOKEN_URL`… */
  readonly env: Readonly<Record<string, string>>
  /** The latest requests, oldest first; a test may clear it (`length = 0`). */
  readonly requests: RecordedRequest[]
  readonly switches: Switches
  /**
   * What the consent page would do after "Allow": mints a code for an authorization URL made by the service.
   * @param options.code becomes valid exactly as given
   * @param options.extra parameters of the callback; they take the place of the provider's own of the same
   *   name, and come as often as they are listed
   * @returns the callback URL with the provider's usual extras
   * @throws {Error} where the provider would show an error page in place of the consent page
   */
  consent(authorizeUrl: string, options?: ConsentOptions): Promise<string>
  /** What it does after "Deny". */
  refuse(authorizeUrl: string, error?: string): Promise<string>
  /** The next requests (all until cleared, where `times` is absent) to this endpoint misbehave. */
  fault(endpoint: Endpoint, fault: Fault | undefined, times?: number): void
  /** Replaces an answer; goes before a fault. The grant is not looked at. */
  answer(endpoint: Endpoint, answer: Answer | undefined, times?: number): void
  /** Drops every connection, hanging ones too. */
  close(): Promise<void>
}

/** How a person consents. */
export interface ConsentOptions {
  readonly person?: Partial<DoublePerson>
  readonly code?: string
  readonly extra?: readonly (readonly [string, string])[]
}

/** How a double is started. */
export interface DoubleOptions {
  /** 0, a free one, where absent. Always on 127.0.0.1. */
  readonly port?: number
  readonly redirectUris: RedirectUris
}

/** Registered at the provider: compared exactly, or judged by a function. */
export type RedirectUris = readonly string[] | ((redirectUri: string) => boolean)
