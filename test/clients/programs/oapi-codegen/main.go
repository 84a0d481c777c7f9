// Logs a person in through the client that oapi-codegen makes.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"login/authmovies"
)

func main() {
	background := context.Background()
	client, err := authmovies.NewClientWithResponses(os.Getenv("AUTH_URL"))
	check(err)
	site := func(_ context.Context, request *http.Request) error {
		request.SetBasicAuth(os.Getenv("SITE_ID"), os.Getenv("SITE_SECRET"))
		return nil
	}
	person := func(token string) authmovies.RequestEditorFn {
		return func(_ context.Context, request *http.Request) error {
			request.Header.Set("Authorization", "Bearer "+token)
			return nil
		}
	}

	started, err := client.StartLoginWithFormdataBodyWithResponse(background, authmovies.StartLogin{
		Provider:          "yandex",
		ClientRedirectUrl: os.Getenv("REDIRECT_URL"),
	}, site)
	check(err)
	if started.JSON200 == nil {
		log.Fatal(string(started.Body))
	}
	tell("state", started.JSON200.State)
	tell("authorize_url", started.JSON200.AuthorizeUrl)

	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	check(err)
	code := strings.TrimSpace(line)
	finished, err := client.FinishLoginWithFormdataBodyWithResponse(background, authmovies.FinishLogin{
		Provider: "yandex",
		State:    started.JSON200.State,
		Code:     &code,
	}, site)
	check(err)
	if finished.JSON200 == nil {
		log.Fatal(string(finished.Body))
	}
	pair := finished.JSON200
	tell("token_type", pair.TokenType)
	tell("expires_in", pair.ExpiresIn)

	profile, err := client.GetProfileWithResponse(background, person(pair.AccessToken))
	check(err)
	tell("name", *profile.JSON200.Name)

	refreshed, err := client.RefreshTokensWithFormdataBodyWithResponse(background, authmovies.RefreshTokens{
		RefreshToken: pair.RefreshToken,
	}, site)
	check(err)
	next := refreshed.JSON200
	tell("refreshed", next.RefreshToken != pair.RefreshToken)

	introspection, err := client.IntrospectTokenWithFormdataBodyWithResponse(background, authmovies.IntrospectToken{
		Token: next.AccessToken,
	}, site)
	check(err)
	tell("active", introspection.JSON200.Active)
	tell("audience", (*introspection.JSON200.Aud)[0])

	revoked, err := client.RevokeTokenWithFormdataBodyWithResponse(background, authmovies.RevokeToken{
		Token: next.RefreshToken,
	}, site)
	check(err)
	if revoked.StatusCode() != http.StatusOK {
		log.Fatal(string(revoked.Body))
	}
	ended, err := client.GetProfileWithResponse(background, person(next.AccessToken))
	check(err)
	tell("ended", ended.ApplicationproblemJSON401.Type)

	wrong := "not-a-code"
	refused, err := client.FinishLoginWithFormdataBodyWithResponse(background, authmovies.FinishLogin{
		Provider: "yandex",
		State:    "not-a-state",
		Code:     &wrong,
	}, site)
	check(err)
	tell("refused", refused.ApplicationproblemJSON400.Type)
	tell("message", refused.ApplicationproblemJSON400.UserMessage)
}

func tell(name string, value any) {
	fmt.Println(name, value)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
