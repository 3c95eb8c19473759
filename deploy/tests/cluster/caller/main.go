// Calls a Quintet server in the ways that the cluster's test needs, and prints one JSON object.
//
//	caller go TARGET SECONDS       grpc-go, round_robin and retries by a service config
//	caller long TARGET SECONDS     the same with texts of 200 words, which wait in the queue
//	caller sdk TARGET SECONDS      the SDK behind `quintet sentiment -`
//	caller bench TARGET SECONDS    `quintet bench`, which never retries
//	caller big TARGET SECONDS      requests of 4 MB to the LSTM, 64 at a time, that no server can hold all of
//	caller tool TARGET ARGUMENT...  the tool quintet itself
//	caller reach ADDRESS           whether a TCP connection opens within ten seconds
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const method = "/quintet.v1.InferenceService/SentimentScore"

const retries = `{"loadBalancingConfig": [{"round_robin": {}}], "methodConfig": [{"name": [{}], "retryPolicy": {
	"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
	"retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}}]}`

// Messages as they are on the wire: no generated code is needed to send the same text again.
type wire struct{}

func (wire) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (wire) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }
func (wire) Name() string                       { return "proto" }

// What came of the calls of one caller.
type outcome struct {
	Calls        int            `json:"calls"`
	Answered     int            `json:"answered"`
	Failures     map[string]int `json:"failures"`
	Example      string         `json:"example,omitempty"`
	WorstSeconds float64        `json:"worst_seconds"`
}

// The fields of SentimentScoreRequest that are used here.
const (
	textField  = 1
	modelField = 2
)

// SentimentScoreRequest with a text some times over.
func request(text string, times int) []byte {
	return bytes.Repeat(field(textField, text), times)
}

// A field of text: its number and kind, a length and the bytes.
func field(number byte, text string) []byte {
	message := []byte{number<<3 | 2}
	for n := len(text); ; n >>= 7 {
		if n < 0x80 {
			message = append(message, byte(n))
			break
		}
		message = append(message, byte(n)|0x80)
	}
	return append(message, text...)
}

func call(target, config string, message []byte, concurrency int, length time.Duration) outcome {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(config),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(wire{})),
	}
	connection, err := grpc.NewClient(target, options...)
	if err != nil {
		panic(err)
	}
	defer connection.Close()
	result := outcome{Failures: map[string]int{}}
	var lock sync.Mutex
	var callers sync.WaitGroup
	end := time.Now().Add(length)
	for range concurrency {
		callers.Add(1)
		go func() {
			defer callers.Done()
			for time.Now().Before(end) {
				var reply []byte
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				start := time.Now()
				err := connection.Invoke(ctx, method, &message, &reply)
				took := time.Since(start).Seconds()
				cancel()
				lock.Lock()
				result.Calls++
				result.WorstSeconds = max(result.WorstSeconds, took)
				if err == nil {
					result.Answered++
				} else {
					result.Failures[status.Code(err).String()]++
					result.Example = err.Error()
				}
				lock.Unlock()
			}
		}()
	}
	callers.Wait()
	return result
}

// Feeds `quintet sentiment -` for a while, and counts its answers.
func sdk(target string, length time.Duration) outcome {
	tool := exec.Command("/quintet", "--server", target, "sentiment", "-")
	var complaint strings.Builder
	tool.Stderr = &complaint
	in, _ := tool.StdinPipe()
	out, _ := tool.StdoutPipe()
	if err := tool.Start(); err != nil {
		panic(err)
	}
	result := outcome{Failures: map[string]int{}}
	go func() {
		defer in.Close()
		for end := time.Now().Add(length); time.Now().Before(end); {
			if _, err := fmt.Fprintln(in, "what a fine film"); err != nil {
				return
			}
			result.Calls++
		}
	}()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		result.Answered++
	}
	if err := tool.Wait(); err != nil {
		result.Failures[err.Error()]++
		result.Example = complaint.String()
	}
	return result
}

// Tries for ten seconds: a policy takes notice of a new pod a moment after its start.
func reach(address string) {
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		var connection net.Conn
		if connection, err = net.DialTimeout("tcp", address, 2*time.Second); err == nil {
			connection.Close()
			return
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// Runs the tool quintet, and ends with it if it fails.
func tool(arguments ...string) {
	command := exec.Command("/quintet", arguments...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if command.Run() != nil {
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "reach" {
		reach(os.Args[2])
		return
	}
	if len(os.Args) > 3 && os.Args[1] == "tool" {
		reach(strings.TrimPrefix(os.Args[2], "dns:///"))
		tool(append([]string{"--server", os.Args[2]}, os.Args[3:]...)...)
		return
	}
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "caller go|long|sdk|bench|big TARGET SECONDS, or caller reach ADDRESS")
		os.Exit(64)
	}
	target := os.Args[2]
	seconds, err := strconv.Atoi(os.Args[3])
	if err != nil {
		panic(err)
	}
	length := time.Duration(seconds) * time.Second
	reach(strings.TrimPrefix(target, "dns:///"))
	switch os.Args[1] {
	case "go":
		print(call(target, retries, request("what a fine film", 1), 16, length))
	case "long":
		print(call(target, retries, request(strings.Repeat("what a fine film ", 50), 1), 16, length))
	case "big":
		message := request(strings.Repeat("what a fine film ", 60_000), 4)
		print(call(target, `{}`, append(message, field(modelField, "lstm")...), 64, length))
	case "sdk":
		print(sdk(target, length))
	case "bench":
		tool("--server", target, "bench", "--json", "--concurrency", "16", "--duration", os.Args[3]+"s")
	}
}

func print(result outcome) {
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		panic(err)
	}
}
