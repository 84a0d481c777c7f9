import { Type } from 'typebox'
import { credentialParameters } from '../http/credentials.ts'

/** A value out of a closed set, as `type: string, enum`: what generators of clients understand. */
const oneOf = (values: readonly string[], options: object) =>
  Type.Unsafe<string>({ type: 'string', enum: [...values], ...options })

/**
 * The login's bodies and answers. Unknown parameters pass: a site posts whatever came in its GET.
 * @param providers every provider that this version knows, so that the document is the same everywhere
 */
export function loginSchemas(providers: readonly string[]) {
  const provider = oneOf(providers, { description: 'The OAuth provider', examples: [providers[0]] })
  return {
    StartLogin: Type.Object(
      {
        provider,
        client_redirect_url: Type.String({
          minLength: 1,
          maxLength: 2000,
          description: "The site's registered address, exactly as registered; the browser comes back to it",
        }),
        code_challenge: Type.Optional(
          Type.String({
            pattern: '^[A-Za-z0-9_-]{43}$',
            description: 'Binds the login to this caller (RFC 7636): base64url of SHA-256 of a code_verifier',
          }),
        ),
        code_challenge_method: Type.Optional(oneOf(['S256'], { description: 'Only with code_challenge' })),
        login_hint: Type.Optional(
          Type.String({ maxLength: 255, description: 'Login or email that the provider may fill in' }),
        ),
        user_ip: Type.Optional(
          Type.String({
            maxLength: 64,
            description:
              "IP address of the visitor who logs in, who then has limits of their own. Counts only with the site's secret; ignored without it",
          }),
        ),
        prompt: Type.Optional(oneOf(['select_account'], { description: 'Ask which account to use' })),
        ...credentialParameters,
      },
      {
        $id: 'StartLogin',
        examples: [{ provider: providers[0], client_redirect_url: 'https://site.example/oauth/return' }],
      },
    ),
    StartedLogin: Type.Object(
      {
        state: Type.String({ description: 'Keep it in the browser session and compare it on return' }),
        authorize_url: Type.String({ format: 'uri', description: 'Redirect the user to this address' }),
      },
      {
        $id: 'StartedLogin',
        examples: [
          {
            state: 'Y2hhbmdlIG1lIHRvIDI1NiByYW5kb20gYml0cyEhISE',
            authorize_url: 'https://provider.example/authorize?response_type=code&client_id=app',
          },
        ],
      },
    ),
    FinishLogin: Type.Object(
      {
        provider,
        state: Type.String({ minLength: 1, maxLength: 512, description: 'As it came in the GET' }),
        code: Type.Optional(
          Type.String({
            maxLength: 4096,
            description: 'As it came in the GET; it is missing only where the provider sent an error',
          }),
        ),
        code_verifier: Type.Optional(
          Type.String({ maxLength: 512, description: 'Where the start brought a code_challenge (RFC 7636)' }),
        ),
        ...credentialParameters,
      },
      {
        $id: 'FinishLogin',
        examples: [
          { provider: providers[0], state: 'Y2hhbmdlIG1lIHRvIDI1NiByYW5kb20gYml0cyEhISE', code: '4/0AbCdEf' },
        ],
      },
    ),
  }
}
