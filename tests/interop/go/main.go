// gRPC for Go: interop DESCRIPTORS CASES.json
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

const service = "/quintet.v1.InferenceService/"

type asked struct {
	Image  string
	Images int
	Cases  []testCase
}

type testCase struct {
	Name, Address, CA, Cert, Key, Token, Compression, Expected string
}

// The messages of quintet.v1.
type messages struct{ files *protoregistry.Files }

func (all messages) empty(name string) *dynamicpb.Message {
	found, err := all.files.FindDescriptorByName(protoreflect.FullName("quintet.v1." + name))
	must(err)
	return dynamicpb.NewMessage(found.(protoreflect.MessageDescriptor))
}

func (all messages) of(name, text string) *dynamicpb.Message {
	message := all.empty(name)
	must(protojson.Unmarshal([]byte(text), message))
	return message
}

// A client certificate, a token and compression, as far as the case has them.
func (one testCase) connect() (*grpc.ClientConn, context.Context, context.CancelFunc) {
	pem, err := os.ReadFile(one.CA)
	must(err)
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(pem)
	if one.Cert != "" {
		pair, err := tls.LoadX509KeyPair(one.Cert, one.Key)
		must(err)
		config.Certificates = []tls.Certificate{pair}
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(config))}
	if one.Compression == "gzip" {
		options = append(options, grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	}
	connection, err := grpc.NewClient(one.Address, options...)
	must(err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	if one.Token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+one.Token)
	}
	return connection, ctx, cancel
}

func (one testCase) call(all messages, image string, images int) error {
	connection, ctx, cancel := one.connect()
	defer connection.Close()
	defer cancel()
	raw := fmt.Sprintf(`{"raw": {"width": 28, "height": 28, "channels": 1, "data": %q}}`, image)
	many := strings.Repeat(raw+",", images-1) + raw
	request := fmt.Sprintf(`{"model": "mlp", "topK": 3, "images": [%s]}`, many)

	answer := all.empty("ClassifyResponse")
	if err := connection.Invoke(ctx, service+"Classify", all.of("ClassifyRequest", request), answer); err != nil {
		return err
	}
	if found := length(answer); found != images {
		return fmt.Errorf("%d classifications", found)
	}
	both := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := connection.NewStream(ctx, both, service+"ClassifyStream")
	if err != nil {
		return err
	}
	for index := range 3 {
		item := fmt.Sprintf(`{"index": %d, "request": %s}`, index, request)
		must(stream.SendMsg(all.of("ClassifyStreamRequest", item)))
	}
	must(stream.CloseSend())
	for answers := 0; ; answers++ {
		item := all.empty("ClassifyStreamResponse")
		if err := stream.RecvMsg(item); err == io.EOF && answers == 3 {
			return nil
		} else if err != nil {
			return fmt.Errorf("after %d answers: %w", answers, err)
		}
		response := item.Get(item.Descriptor().Fields().ByName("response")).Message()
		if found := length(response); found != images {
			return fmt.Errorf("%d classifications", found)
		}
	}
}

// How many classifications an answer has.
func length(answer protoreflect.Message) int {
	return answer.Get(answer.Descriptor().Fields().ByName("classifications")).List().Len()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	descriptors, err := os.ReadFile(os.Args[1])
	must(err)
	var set descriptorpb.FileDescriptorSet
	must(proto.Unmarshal(descriptors, &set))
	files, err := protodesc.NewFiles(&set)
	must(err)
	text, err := os.ReadFile(os.Args[2])
	must(err)
	var asked asked
	must(json.Unmarshal(text, &asked))
	failed := 0
	for _, one := range asked.Cases {
		err := one.call(messages{files}, asked.Image, asked.Images)
		// Without an underscore: grpc-go writes codes as DeadlineExceeded.
		given := strings.ToUpper(status.Code(err).String())
		word := "ok"
		if given != one.Expected {
			word, failed = "FAILED", 1
			fmt.Println(err)
		}
		fmt.Printf("%s grpc-go: %s: %s\n", word, one.Name, given)
	}
	os.Exit(failed)
}
