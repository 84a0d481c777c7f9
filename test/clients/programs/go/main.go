// Logs a person in through the client that openapi-generator makes for Go.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"login/authmovies"
)

func main() {
	configuration := authmovies.NewConfiguration()
	configuration.Servers = authmovies.ServerConfigurations{{URL: os.Getenv("AUTH_URL")}}
	client := authmovies.NewAPIClient(configuration)
	site := context.WithValue(context.Background(), authmovies.ContextBasicAuth, authmovies.BasicAuth{
		UserName: os.Getenv("SITE_ID"),
		Password: os.Getenv("SITE_SECRET"),
	})
	person := func(token string) context.Context {
		return context.WithValue(context.Background(), authmovies.ContextAccessToken, token)
	}

	started, _, err := client.LoginAPI.StartLogin(site).
		Provider("yandex").ClientRedirectUrl(os.Getenv("REDIRECT_URL")).Execute()
	check(err)
	tell("state", started.State)
	tell("authorize_url", started.AuthorizeUrl)

	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	check(err)
	pair, _, err := client.LoginAPI.FinishLogin(site).
		Provider("yandex").State(started.State).Code(strings.TrimSpace(line)).Execute()
	check(err)
	tell("token_type", pair.TokenType)
	tell("expires_in", pair.ExpiresIn)

	profile, _, err := client.UsersAPI.GetProfile(person(pair.AccessToken)).Execute()
	check(err)
	tell("name", profile.GetName())

	next, _, err := client.SessionsAPI.RefreshTokens(site).RefreshToken(pair.RefreshToken).Execute()
	check(err)
	tell("refreshed", next.RefreshToken != pair.RefreshToken)

	introspection, _, err := client.SessionsAPI.IntrospectToken(site).Token(next.AccessToken).Execute()
	check(err)
	tell("active", introspection.Active)
	tell("audience", introspection.Aud[0])

	_, err = client.SessionsAPI.RevokeToken(site).Token(next.RefreshToken).Execute()
	check(err)
	_, _, err = client.UsersAPI.GetProfile(person(next.AccessToken)).Execute()
	tell("ended", problemOf(err).Type)

	_, _, err = client.LoginAPI.FinishLogin(site).
		Provider("yandex").State("not-a-state").Code("not-a-code").Execute()
	refusal := problemOf(err)
	tell("refused", refusal.Type)
	tell("message", refusal.UserMessage)
}

func tell(name string, value any) {
	fmt.Println(name, value)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func problemOf(err error) authmovies.Problem {
	var refusal *authmovies.GenericOpenAPIError
	if !errors.As(err, &refusal) {
		log.Fatalf("not refused: %v", err)
	}
	problem, typed := refusal.Model().(authmovies.Problem)
	if !typed {
		log.Fatalf("not a problem: %v", err)
	}
	return problem
}
