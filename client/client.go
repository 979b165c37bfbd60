package client

import (
	"crypto/tls"
	"fmt"
	"net"
	"time"

	roompb "parley/proto/gen/api/room"
	"parley/seam"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Options say how a Client reaches its server. The zero value is good for a server on a trusted network.
type Options struct {
	TLS    *tls.Config       // nil speaks plain text
	Outbox int               // commands of a Session that may wait for the server, 64 if 0
	Buffer int               // events a Session holds for its reader before it stops taking more, 256 if 0
	Clock  seam.Clock        // the machine's if nil
	Dial   []grpc.DialOption // beside those that Dial sets itself; the last of one kind counts
}

// A Client speaks to one server. Its methods may be called from any goroutine.
type Client struct {
	rooms     roompb.RoomClient
	transport transport
	close     func() error
	outbox    int
	buffer    int
	clock     seam.Clock
}

// Dial prepares a Client of the server at addr (host:port). It does not connect yet: the first call does.
func Dial(addr string, o Options) (*Client, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, fmt.Errorf("server address %q: use host:port, such as 127.0.0.1:50052", addr)
	}
	conn, err := grpc.NewClient(addr, append(dialOptions(o), o.Dial...)...)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	c := New(conn, o)
	c.close = conn.Close
	return c, nil
}

// New makes a Client that speaks over conn. Closing the Client does not close conn.
func New(conn grpc.ClientConnInterface, o Options) *Client {
	rooms := roompb.NewRoomClient(conn)
	c := &Client{rooms: rooms, transport: grpcTransport{rooms}, outbox: o.Outbox, buffer: o.Buffer, clock: o.Clock}
	c.close = func() error { return nil }
	c.fill()
	return c
}

func (c *Client) fill() {
	if c.outbox <= 0 {
		c.outbox = 64
	}
	if c.buffer <= 0 {
		c.buffer = 256
	}
	if c.clock == nil {
		c.clock = seam.Real()
	}
}

// Close ends the connection. Sessions have to be closed before.
func (c *Client) Close() error { return c.close() }

// The transport tries again at least every second: how patient to be is decided by the Session, once for all.
func dialOptions(o Options) []grpc.DialOption {
	creds := insecure.NewCredentials()
	if o.TLS != nil {
		creds = credentials.NewTLS(o.TLS)
	}
	connect := backoff.Config{BaseDelay: firstWait / 2, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: connect, MinConnectTimeout: answerTime}),
		// A stream that lives is pinged by its Session more often than this, so only dead ones are noticed here.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: idleTime + answerTime, Timeout: answerTime}),
	}
}
