package inject

import "testing"

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		in   string // with @ where the script stands; without, it gets none
		more bool   // it is undecided when it goes on
	}{
		{in: "<!doctype html><html><head>@<title>x"},
		{in: "<!DOCTYPE HTML>\n<HTML lang='a>b'>\n<HEAD data-x=\"1>2\" >@\n"},
		{in: "<!doctype html PUBLIC \"-//W3C//DTD XHTML 1.0//EN\" \"http://a/b\"><html><head>@</head>"},
		{in: "\xef\xbb\xbf<!doctype html><head>@"},
		{in: " \r\n<!-- a <html> --><!doctype html><!-- b --><html><!-- c --><head>@x"},
		{in: "<html>@<body>x"},
		{in: "<!doctype html>@<title>x</title>"},
		{in: "<!doctype html>@hello"},
		{in: "<html><head/>@x"},
		{in: "<html lang=en>@\n<header>x"},
		{in: "<head>@<title>"},
		{in: "<html>@<html><head>"},
		{in: "<html>@<!doctype html>"},
		{in: "<html a=\"'\" b='\"'><head>@x"},
		{in: "<html it's><head>@x"},
		{in: "<html a = \">\"><head>@x"},
		{in: "<!doctype html>@<!--> <head>"},
		{in: "<!doctype html>@<!-- a --!><head>"},
		{in: "<div>x</div>"},
		{in: "hello"},
		{in: "<header>x</header>"},
		{in: "<htmlx>"},
		{in: "<!doctype svg><svg>"},
		{in: "<?xml version='1.0'?><!doctype html><html>"},
		{in: "<body>x"},
		{in: "{\"a\":1}"},
		{in: "<!-- x --><tr>"},
		{in: "<!doctype html>@", more: true},
		{in: "<!doctype html><html>@ ", more: true},
		{in: "<!doctype html><html>@<hea", more: true},
		{in: "<!doctype html><html>@<head", more: true},
		{in: "<!doctype html><html>@<head a='>", more: true},
		{in: "<!doctype html>@<!-- x", more: true},
		{in: "", more: true},
		{in: " \n", more: true},
		{in: "<", more: true},
		{in: "<!doc", more: true},
		{in: "<html", more: true},
		{in: "\xef\xbb", more: true},
		{in: "<!", more: true},
	} {
		in, want, wanted := "", 0, leave
		for i := range len(c.in) {
			if c.in[i] == '@' {
				want, wanted = i, insert
			} else {
				in += string(c.in[i : i+1])
			}
		}
		if offset, v := place([]byte(in), true); offset != want || v != wanted {
			t.Errorf("%q: %d at %d, want %d at %d", c.in, v, offset, wanted, want)
		}
		if c.more {
			want, wanted = 0, undecided
		}
		if offset, v := place([]byte(in), false); offset != want || v != wanted {
			t.Errorf("%q, unfinished: %d at %d, want %d at %d", c.in, v, offset, wanted, want)
		}
	}
}

func TestPolicy(t *testing.T) {
	yes := Policy{Runs: true, Connects: true}
	for name, c := range map[string]struct {
		csp  []string
		want Policy
	}{
		"none":                         {nil, yes},
		"empty":                        {[]string{""}, yes},
		"about other things":           {[]string{"img-src 'none'; object-src 'none'"}, yes},
		"self":                         {[]string{"default-src 'self'"}, yes},
		"in capitals":                  {[]string{"DEFAULT-SRC 'SELF'"}, yes},
		"anything":                     {[]string{"default-src *"}, yes},
		"any of http":                  {[]string{"script-src http: https:"}, yes},
		"only https":                   {[]string{"script-src https:"}, Policy{Connects: true}},
		"nothing":                      {[]string{"default-src 'none'"}, Policy{}},
		"scripts but no connections":   {[]string{"default-src 'none'; script-src 'self'"}, Policy{Runs: true}},
		"connections but no scripts":   {[]string{"default-src 'none'; connect-src 'self'"}, Policy{Connects: true}},
		"the elements have their own":  {[]string{"script-src 'none'; script-src-elem 'self'"}, yes},
		"no elements":                  {[]string{"script-src 'self'; script-src-elem 'none'"}, Policy{Connects: true}},
		"a nonce":                      {[]string{"script-src 'nonce-abc123=='"}, Policy{true, "abc123==", true}},
		"a nonce and strict-dynamic":   {[]string{"script-src 'nonce-YQ' 'strict-dynamic' https: 'self'; base-uri 'none'"}, Policy{true, "YQ", true}},
		"a nonce that is not needed":   {[]string{"script-src 'self' 'nonce-YQ'"}, yes},
		"strict-dynamic with hashes":   {[]string{"script-src 'strict-dynamic' 'sha256-x' 'self'"}, Policy{Connects: true}},
		"hashes":                       {[]string{"script-src 'sha256-x'"}, Policy{Connects: true}},
		"a nonce that breaks out":      {[]string{`script-src 'nonce-a"><script>'`}, Policy{Connects: true}},
		"an empty nonce":               {[]string{"script-src 'nonce-'"}, Policy{Connects: true}},
		"two policies":                 {[]string{"script-src 'nonce-YQ', script-src 'self'"}, Policy{true, "YQ", true}},
		"two headers":                  {[]string{"script-src 'nonce-YQ'", "default-src 'none'"}, Policy{}},
		"two nonces":                   {[]string{"script-src 'nonce-YQ'", "script-src 'nonce-Yg'"}, Policy{Connects: true}},
		"the first of two counts":      {[]string{"script-src 'self'; script-src 'none'"}, yes},
		"a sandbox":                    {[]string{"sandbox"}, Policy{}},
		"a sandbox that runs scripts":  {[]string{"sandbox allow-scripts"}, Policy{}},
		"one that leaves the origin":   {[]string{"sandbox allow-scripts allow-same-origin"}, yes},
		"a host is not taken for self": {[]string{"script-src cdn.example"}, Policy{Connects: true}},
	} {
		if got := PolicyOf(c.csp); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
