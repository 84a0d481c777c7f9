/** What the guide for site administrators calls `$AUTH`, `$SITE_ID`, `$SITE_SECRET` and `$REDIRECT_URL`. */
export interface GuideVariables {
  readonly publicUrl: string
  readonly redirectUrl: string
  readonly credentials: { readonly id: string; readonly secret: string }
}

/** What the two requests are about. */
export interface GuideRequests extends GuideVariables {
  readonly provider: string
  /** Whether the site is refused without its secret. */
  readonly requireSecret: boolean
}

/** One line for a shell that sets the variables of the guide, so that each block of it can be pasted. */
export function guideVariables({ publicUrl, redirectUrl, credentials }: GuideVariables): string {
  const variables = {
    AUTH: publicUrl,
    SITE_ID: credentials.id,
    SITE_SECRET: credentials.secret,
    REDIRECT_URL: redirectUrl,
  }
  const settings = Object.entries(variables).map(([name, value]) => `${name}=${quoted(value)}`)
  return `export ${settings.join(' ')}`
}

/**
 * The two requests of the guide for site administrators as lines for a shell: with the site's secret and, where the
 * site may leave it out, without. The variables stand before them; only STATE and CODE are left to set.
 */
export function guideRequests({ provider, requireSecret, ...variables }: GuideRequests): string {
  const start = `-d provider=${provider} --data-urlencode "client_redirect_url=$REDIRECT_URL" "$AUTH/api/v1/oauth/authorize-url/"`
  const finish = `-d provider=${provider} --data-urlencode "state=$STATE" --data-urlencode "code=$CODE" "$AUTH/api/v1/oauth/authorize/"`
  const withSecret = 'curl -sS -u "$SITE_ID:$SITE_SECRET"'
  return [
    guideVariables(variables),
    '# 1. Start a login; send the user to the authorize_url of the answer:',
    `${withSecret} ${start}`,
    '# 2. The user comes back to your URL with provider, state and code; set STATE and CODE to get the tokens:',
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
