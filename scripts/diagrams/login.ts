import type { Language } from '../../docs/.vitepress/navigation.ts'
import { sequence } from './sequence.ts'

const words = {
  en: {
    title: 'A login, from the button to the tokens',
    text: 'Four parties: the browser, the backend of the site, Auth-movies and the provider. The site starts the login at Auth-movies and sends the browser to the provider. The provider sends it back to Auth-movies, and Auth-movies to the site with provider, state and code. The site compares the state and finishes: Auth-movies exchanges the code at the provider, reads the profile and answers with an access token and a refresh token.',
    parties: ['Browser', "Site's backend", 'Auth-movies', 'Provider'],
    press: 'presses the button',
    toProvider: '303 to authorize_url',
    allow: 'logs in and allows',
    back: '303 to the callback: state, code',
    home: '303 to client_redirect_url',
    compare: 'compares state',
    profile: 'name, login, email',
    loggedIn: 'logged in',
  },
  ru: {
    title: 'Вход: от кнопки до токенов',
    text: 'Четыре участника: браузер, сервер сайта, Auth-movies и провайдер. Сайт начинает вход в Auth-movies и отправляет браузер к провайдеру. Провайдер возвращает его в Auth-movies, а Auth-movies — на сайт с provider, state и code. Сайт сравнивает state и завершает вход: Auth-movies обменивает код у провайдера, читает профиль и отвечает токеном доступа и токеном обновления.',
    parties: ['Браузер', 'Сервер сайта', 'Auth-movies', 'Провайдер'],
    press: 'нажимает кнопку',
    toProvider: '303 на authorize_url',
    allow: 'входит и разрешает доступ',
    back: '303 на callback: state, code',
    home: '303 на client_redirect_url',
    compare: 'сравнивает state',
    profile: 'имя, логин, email',
    loggedIn: 'вход выполнен',
  },
} as const

/** Who sends what to whom in a login. */
export function login(language: Language): string {
  const { title, text, parties, ...said } = words[language]
  const [browser, site, service, provider] = [0, 1, 2, 3]
  return sequence({ title, text }, parties, [
    { from: browser, to: site, text: said.press },
    { from: site, to: service, text: '1. provider, client_redirect_url' },
    { from: service, to: site, text: 'state, authorize_url', answer: true },
    { from: site, to: browser, text: said.toProvider, answer: true },
    { from: browser, to: provider, text: said.allow },
    { from: provider, to: browser, text: said.back, answer: true },
    { from: browser, to: service, text: '2. state, code' },
    { from: service, to: browser, text: said.home, answer: true },
    { from: browser, to: site, text: 'provider, state, code' },
    { from: site, to: site, text: said.compare },
    { from: site, to: service, text: '3. provider, state, code' },
    { from: service, to: provider, text: 'code, code_verifier' },
    { from: provider, to: service, text: said.profile, answer: true },
    { from: service, to: site, text: 'access_token, refresh_token', answer: true },
    { from: site, to: browser, text: said.loggedIn, answer: true },
  ])
}
