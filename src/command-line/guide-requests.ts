/** What the two requests are about. */
export interface GuideRequests {
  readonly publicUrl: string
  readonly provider: string
  readonly redirectUrl: string
  /** For a site that requires its secret. */
  readonly credentials?: { readonly id: string; readonly secret: string }
}

/** The published guide's two requests as lines for a shell; only STATE and CODE are left to fill in. */
export function guideRequests({ publicUrl, provider, redirectUrl, credentials }: GuideRequests): string {
  const curl =
    credentials === undefined ? 'curl' : `curl -u ${quoted(`${credentials.id}:${credentials.secret}`)}`
  const api = `${publicUrl}/api/v1/oauth`
  return [
    '# 1. Start a login; send the user to the authorize_url of the answer:',
    `${curl} -d provider=${provider} --data-urlencode client_redirect_url=${quoted(redirectUrl)} ${api}/authorize-url/`,
    '# 2. The user comes back to your URL with provider, state and code; post these on for the tokens:',
    `${curl} -d provider=${provider} --data-urlencode state=STATE --data-urlencode code=CODE ${api}/authorize/`,
  ].join('\n')
}

/** One word to a POSIX shell, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
