import type { Language } from './navigation.ts'

/** What the site itself says around the pages, as VitePress takes it. */
export const words = {
  en: {
    label: 'English',
    lang: 'en',
    description: 'Log people in to many sites through many providers',
    overview: 'Overview',
    theme: {
      outline: { label: 'On this page', level: [2, 3] as [number, number] },
      skipToContentLabel: 'Skip to content',
    },
  },
  ru: {
    label: 'Русский',
    lang: 'ru',
    description: 'Вход на многие сайты через многих провайдеров',
    overview: 'Обзор',
    theme: {
      outline: { label: 'На этой странице', level: [2, 3] as [number, number] },
      docFooter: { prev: 'Предыдущая страница', next: 'Следующая страница' },
      darkModeSwitchLabel: 'Оформление',
      lightModeSwitchTitle: 'Включить светлое оформление',
      darkModeSwitchTitle: 'Включить тёмное оформление',
      sidebarMenuLabel: 'Меню',
      returnToTopLabel: 'Наверх',
      langMenuLabel: 'Выбрать язык',
      skipToContentLabel: 'Перейти к содержанию',
      notFound: {
        title: 'Страница не найдена',
        quote: 'Проверьте адрес или воспользуйтесь поиском.',
        linkLabel: 'На главную страницу',
        linkText: 'На главную страницу',
      },
    },
  },
} as const satisfies Record<Language, object>

/** The words of the search in Russian; those in English are VitePress's own. */
export const russianSearch = {
  button: { buttonText: 'Поиск', buttonAriaLabel: 'Поиск' },
  modal: {
    displayDetails: 'Показать подробный список',
    resetButtonTitle: 'Сбросить поиск',
    backButtonTitle: 'Закрыть поиск',
    noResultsText: 'Ничего не найдено по запросу',
    footer: {
      selectText: 'выбрать',
      selectKeyAriaLabel: 'Enter',
      navigateText: 'перейти',
      navigateUpKeyAriaLabel: 'стрелка вверх',
      navigateDownKeyAriaLabel: 'стрелка вниз',
      closeText: 'закрыть',
      closeKeyAriaLabel: 'Escape',
    },
  },
}
