/** A language of the documentation: the name of its tree below `docs/`. */
export type Language = 'en' | 'ru'

/** A text in both languages. */
export type Words = Readonly<Record<Language, string>>

/**
 * Pages that belong together, by their paths below the tree of a language, without `.md`; from `docs/` where they begin
 * with a slash, as what exists in English only does: pages, and the OpenAPI document.
 */
export interface Group {
  readonly title: Words
  readonly pages: readonly string[]
}

/** One of the four kinds of documentation, which is a tab of the site: what a reader wants of these pages. */
export interface Kind {
  readonly title: Words
  readonly groups: readonly Group[]
}

/**
 * Every page of both trees, in the order of the sidebar. A new page is one more line in one of the groups; its title is
 * its first heading. The index page of a tree stands in none.
 */
export const kinds: readonly Kind[] = [
  {
    title: { en: 'Tutorial', ru: 'Учебник' },
    groups: [{ title: { en: 'Begin here', ru: 'Начните здесь' }, pages: ['first-login'] }],
  },
  {
    title: { en: 'How-to', ru: 'Как сделать' },
    groups: [
      {
        title: { en: 'Connect a site', ru: 'Подключить сайт' },
        pages: [
          'client-guide',
          'site-administrators',
          'examples',
          'sandbox',
          'site-check',
          'generated-clients',
        ],
      },
      {
        title: { en: 'Standard clients', ru: 'Стандартные клиенты' },
        pages: [
          'openid-connect',
          'openid-connect/auth-js',
          'openid-connect/django',
          'openid-connect/go',
          'openid-connect/grafana',
          'openid-connect/laravel',
          'openid-connect/mod-auth-openidc',
          'openid-connect/oauth2-proxy',
          'openid-connect/passport',
          'openid-connect/spring',
        ],
      },
      {
        title: { en: 'Run the service', ru: 'Эксплуатировать сервис' },
        pages: ['operators', 'one-machine', 'kubernetes', 'upgrade', 'backup', 'secrets'],
      },
      {
        title: { en: 'Keep it running', ru: 'Следить за сервисом' },
        pages: ['monitoring', 'runbooks', 'failovers', 'capacity', 'scaling'],
      },
      {
        title: { en: 'Applications at providers', ru: 'Приложения у провайдеров' },
        pages: [
          'providers/index',
          'providers/apple',
          'providers/github',
          'providers/google',
          'providers/mail',
          'providers/openid',
          'providers/telegram',
          'providers/tid',
          'providers/vkid',
          'providers/yandex',
        ],
      },
    ],
  },
  {
    title: { en: 'Reference', ru: 'Справочник' },
    groups: [
      {
        title: { en: 'For sites', ru: 'Для сайтов' },
        pages: ['reference/http-api', 'reference/problems', '/openapi.json'],
      },
      {
        title: { en: 'For operators', ru: 'Для операторов' },
        pages: ['reference/variables', 'reference/metrics', 'admin-api'],
      },
    ],
  },
  {
    title: { en: 'Explanation', ru: 'Объяснение' },
    groups: [
      {
        title: { en: 'How and why', ru: 'Как и почему' },
        pages: ['login-flow', 'security', 'why', '/decisions/', '/performance'],
      },
    ],
  },
]
