import { providers } from '../src/app.ts'
import type { Config } from '../src/config/config.ts'
import { readConfig } from '../src/config/config.ts'
import type { Environment } from '../src/config/variables.ts'

/** The service's variables for the provider of the bench. */
export function providerVariables(providerUrl: string) {
  return {
    YANDEX_CLIENT_ID: 'bench',
    YANDEX_CLIENT_SECRET: 'bench',
    YANDEX_AUTHORIZE_URL: `${providerUrl}/authorize`,
    YANDEX_TOKEN_URL: `${providerUrl}/token`,
    YANDEX_USERINFO_URL: `${providerUrl}/info`,
  }
}

/** The service's configuration as the bench measures it: the defaults, but development mode, as the provider has no https. */
export function benchConfig(providerUrl: string, variables: Environment = {}): Config {
  return readConfig({ NODE_ENV: 'development', ...providerVariables(providerUrl), ...variables }, providers)
}
