import type { Language } from '../../docs/.vitepress/navigation.ts'
import { graph } from './graph.ts'

const words = {
  en: {
    title: 'The parts of an installation',
    text: 'Browsers and backends of sites reach the public port of the service through a proxy that ends https. Several processes of the service may run side by side. They keep people, sessions, sites and signing keys in PostgreSQL, logins under way and limits in Redis, and speak with the providers. Operators and Prometheus reach the management port, which is never routed from outside.',
    browsers: 'Browsers',
    sites: 'Backends of sites',
    proxy: 'Proxy (https)',
    service: 'Auth-movies\n(one or more processes)',
    postgresql: 'PostgreSQL\npeople, sessions, sites, keys',
    redis: 'Redis\nlogins under way, limits',
    providers: 'Providers',
    operators: 'Operators, Prometheus',
    callback: 'callback',
    requests: 'start, finish, refresh …',
    publicPort: 'public port',
    management: 'management port',
    code: 'code → profile',
  },
  ru: {
    title: 'Из чего состоит установка',
    text: 'Браузеры и серверы сайтов обращаются к публичному порту сервиса через прокси, на котором заканчивается https. Процессов сервиса может быть несколько. Пользователи, сессии, сайты и ключи подписи хранятся в PostgreSQL, начатые входы и ограничения — в Redis; сервис обращается к провайдерам. Операторы и Prometheus обращаются к служебному порту, который никогда не открывается наружу.',
    browsers: 'Браузеры',
    sites: 'Серверы сайтов',
    proxy: 'Прокси (https)',
    service: 'Auth-movies\n(один или несколько процессов)',
    postgresql: 'PostgreSQL\nлюди, сессии, сайты, ключи',
    redis: 'Redis\nначатые входы, ограничения',
    providers: 'Провайдеры',
    operators: 'Операторы, Prometheus',
    callback: 'callback',
    requests: 'начало, завершение …',
    publicPort: 'публичный порт',
    management: 'служебный порт',
    code: 'код → профиль',
  },
} as const

/** Who speaks with whom, and what is stored where. */
export function parts(language: Language): string {
  const { title, text, ...said } = words[language]
  return graph(
    { width: 900, height: 390 },
    { title, text },
    {
      browsers: { x: 130, y: 50, text: said.browsers },
      sites: { x: 130, y: 190, text: said.sites, width: 170 },
      proxy: { x: 430, y: 50, text: said.proxy },
      service: { x: 430, y: 190, text: said.service, kind: 'strong', width: 250 },
      providers: { x: 780, y: 190, text: said.providers },
      postgresql: { x: 310, y: 335, text: said.postgresql, width: 220 },
      redis: { x: 565, y: 335, text: said.redis, width: 220 },
      operators: { x: 780, y: 50, text: said.operators, width: 190 },
    },
    [
      { from: 'browsers', to: 'proxy', text: said.callback },
      { from: 'sites', to: 'proxy', text: said.requests },
      { from: 'proxy', to: 'service', text: said.publicPort },
      { from: 'operators', to: 'service', text: said.management },
      { from: 'service', to: 'providers', text: said.code },
      { from: 'service', to: 'postgresql' },
      { from: 'service', to: 'redis' },
    ],
  )
}
