package guard

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/devguard/devguard/dbguard/login"
)

// newCertificate returns what our listeners show clients that ask for TLS: a
// certificate for loopback, signed by nobody, of a key that is in this process's memory
// alone.
func newCertificate() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil
	}
	now := time.Now()
	form := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "devguard"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(10, 0, 0), // a run may be long, and the clock be set
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		// A ticket that a client leaves unread would make its close look like a reset.
		SessionTicketsDisabled: true,
	}
}

// encrypted returns config with TLS on each way to a server. A way that has none is
// dropped where the same server has one with it, else it gets TLS that checks no
// certificate: a client that has accepted ours checks none either.
func encrypted(config *pgconn.Config) *pgconn.Config {
	config = config.Copy()
	ways := waysOf(config)
	var kept []*pgconn.FallbackConfig
	for _, way := range ways {
		if way.TLSConfig == nil && slices.ContainsFunc(ways, func(o *pgconn.FallbackConfig) bool {
			return o.TLSConfig != nil && o.Host == way.Host && o.Port == way.Port
		}) {
			continue
		}
		if way.TLSConfig == nil && !isUnix(way) {
			way.TLSConfig = &tls.Config{InsecureSkipVerify: true, ServerName: way.Host}
		}
		kept = append(kept, way)
	}
	config.Host, config.Port, config.TLSConfig = kept[0].Host, kept[0].Port, kept[0].TLSConfig
	config.Fallbacks = kept[1:]
	return config
}

// waysOf returns where config leads to, in order.
func waysOf(config *pgconn.Config) []*pgconn.FallbackConfig {
	first := &pgconn.FallbackConfig{Host: config.Host, Port: config.Port, TLSConfig: config.TLSConfig}
	return append([]*pgconn.FallbackConfig{first}, config.Fallbacks...)
}

// isUnix reports whether a way is a Unix socket.
func isUnix(way *pgconn.FallbackConfig) bool {
	network, _ := pgconn.NetworkAddress(way.Host, way.Port)
	return network == "unix"
}

// offerLimit bounds the question whether an upstream speaks TLS. Its client waits.
const offerLimit = 5 * time.Second

// offerOf asks the servers of config whether they speak TLS; the first answer counts.
func offerOf(ctx context.Context, config *pgconn.Config) login.Offer {
	ways := waysOf(config)
	switch {
	case slices.ContainsFunc(ways, isUnix):
		return login.NotAsked
	case !slices.ContainsFunc(ways, func(way *pgconn.FallbackConfig) bool { return way.TLSConfig == nil }):
		return login.SpeaksTLS // else it is of no use to its own URL
	}
	ctx, cancel := context.WithTimeout(ctx, offerLimit)
	defer cancel()
	for _, way := range ways {
		hosts, err := config.LookupFunc(ctx, way.Host)
		if err != nil {
			continue
		}
		for _, host := range hosts {
			if _, _, err := net.SplitHostPort(host); err != nil {
				host = net.JoinHostPort(host, strconv.Itoa(int(way.Port)))
			}
			if offer := offerAt(ctx, config, host); offer != login.NotKnown {
				return offer
			}
		}
	}
	return login.NotKnown
}

// offerAt asks one server.
func offerAt(ctx context.Context, config *pgconn.Config, address string) login.Offer {
	conn, err := config.DialFunc(ctx, "tcp", address)
	if err != nil {
		return login.NotKnown
	}
	defer conn.Close()
	release := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer release()
	answer := make([]byte, 1)
	if _, err := conn.Write([]byte{0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f}); err != nil { // SSLRequest
		return login.NotKnown
	}
	if _, err := conn.Read(answer); err != nil {
		return login.NotKnown
	}
	switch answer[0] {
	case 'S':
		return login.SpeaksTLS
	case 'N':
		return login.NoTLS
	}
	return login.NotKnown
}
