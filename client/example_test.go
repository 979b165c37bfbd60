package client_test

import (
	"context"
	"fmt"
	"log"

	"parley/client"
)

// Say something in a room and print what everybody says.
func Example() {
	ctx := context.Background()
	c, err := client.Dial("127.0.0.1:50052", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	seat, err := c.Join(ctx, client.JoinOptions{Room: "lobby", User: "maja", Name: "Maja"})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if _, err := seat.Send(ctx, client.Draft{Text: "@ada hello"}); err != nil { // returns when it is stored
			log.Print(err)
		}
	}()
	for event, err := range seat.Events(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		if e, ok := event.(client.MessageReceived); ok {
			fmt.Println(e.Message.SenderName+":", e.Message.Text)
		}
	}
}
