/** What the two requests are about. */
export interface GuideRequests {
  readonly publicUrl: string
  readonly provider: string
  readonly redirectUrl: string
  readonly credentials: { readonly id: string; readonly secret: string }
  /** Whether the site is refused without its secret. */
  readonly requireSecret: boolean
}

/**
 * The published guide's two requests as lines for a shell, with the site's secret and, where the site may leave it
 * out, without; only STATE and CODE are left to fill in.
 */
export function guideRequests({
  publicUrl,
  provider,
  redirectUrl,
  credentials,
  requireSecret,
}: GuideRequests): string {
  const api = `${publicUrl}/api/v1/oauth`
  const start = `-d provider=${provider} --data-urlencode client_redirect_url=${quoted(redirectUrl)} ${api}/authorize-url/`
  const finish = `-d provider=${provider} --data-urlencode state=STATE --data-urlencode code=CODE ${api}/authorize/`
  const withSecret = 'curl -sS -u "$SITE_ID:$SITE_SECRET"'
  return [
    `SITE_ID=${quoted(credentials.id)} SITE_SECRET=${quoted(credentials.secret)}`,
    '# 1. Start a login; send the user to the authorize_url of the answer:',
    `${withSecret} ${start}`,
    '# 2. The user comes back to your URL with provider, state and code; post these on for the tokens:',
    `${withSecret} ${finish}`,
    ...(requireSecret
      ? []
      : [
          '# The same without the secret, which this site may leave out:',
          `curl -sS ${start}`,
          `curl -sS ${finish}`,
        ]),
  ].join('\n')
}

/** One word to a POSIX shell, whatever is in it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
