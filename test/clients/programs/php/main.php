<?php
// Logs a person in through the client that openapi-generator's current release makes. Guzzle is Debian's package.

require '/usr/share/php/GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class): void {
    $file = getcwd() . '/lib/' . str_replace('\\', '/', substr($class, strlen('AuthMovies\\'))) . '.php';
    if (str_starts_with($class, 'AuthMovies\\') && is_file($file)) {
        require $file;
    }
});

use AuthMovies\Api\LoginApi;
use AuthMovies\Api\SessionsApi;
use AuthMovies\Api\UsersApi;
use AuthMovies\ApiException;
use AuthMovies\Configuration;
use AuthMovies\Model\Problem;
use GuzzleHttp\Client;

function tell(string $name, string|int|bool $value): void
{
    echo $name, ' ', is_bool($value) ? var_export($value, true) : $value, "\n";
    flush();
}

function configuration(): Configuration
{
    return (new Configuration())->setHost(getenv('AUTH_URL'));
}

function profileOf(string $accessToken): AuthMovies\Model\Profile
{
    return (new UsersApi(new Client(), configuration()->setAccessToken($accessToken)))->getProfile();
}

function problemOf(callable $call): Problem
{
    try {
        $call();
    } catch (ApiException $refusal) {
        return $refusal->getResponseObject();
    }
    exit('It was not refused.');
}

$site = configuration()->setUsername(getenv('SITE_ID'))->setPassword(getenv('SITE_SECRET'));
$login = new LoginApi(new Client(), $site);
$sessions = new SessionsApi(new Client(), $site);

$started = $login->startLogin(provider: 'yandex', client_redirect_url: getenv('REDIRECT_URL'));
tell('state', $started->getState());
tell('authorize_url', $started->getAuthorizeUrl());

$code = trim(fgets(STDIN));
$pair = $login->finishLogin(provider: 'yandex', state: $started->getState(), code: $code);
tell('token_type', $pair->getTokenType());
tell('expires_in', $pair->getExpiresIn());
tell('name', profileOf($pair->getAccessToken())->getName());

$next = $sessions->refreshTokens(refresh_token: $pair->getRefreshToken());
tell('refreshed', $next->getRefreshToken() !== $pair->getRefreshToken());

$introspection = $sessions->introspectToken(token: $next->getAccessToken());
tell('active', $introspection->getActive());
tell('audience', $introspection->getAud()[0]);

$sessions->revokeToken(token: $next->getRefreshToken());
tell('ended', problemOf(fn() => profileOf($next->getAccessToken()))->getType());
$refused = problemOf(fn() => $login->finishLogin(provider: 'yandex', state: 'not-a-state', code: 'not-a-code'));
tell('refused', $refused->getType());
tell('message', $refused->getUserMessage());
