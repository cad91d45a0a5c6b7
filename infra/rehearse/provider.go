package main

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/estela-dev/estela/infra/internal/standin"
)

// provider stands in for the provider of Google Cloud: it takes what it is given, and
// gives it back with what the cloud would add.
type provider struct {
	pulumirpc.UnimplementedResourceProviderServer
}

// serve listens on loopback until ctx ends and returns the port.
func serve(ctx context.Context) (port int, stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, fmt.Errorf("listen for the engine: %w", err)
	}
	server := grpc.NewServer()
	pulumirpc.RegisterResourceProviderServer(server, &provider{})
	go func() { _ = server.Serve(l) }() // it ends with Stop
	_, text, _ := net.SplitHostPort(l.Addr().String())
	port, err = strconv.Atoi(text)
	return port, server.Stop, err
}

// GetPluginInfo says what it stands in for.
func (provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "8.41.1"}, nil
}

// Attach is called by an engine that didn't start it.
func (provider) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// CheckConfig takes any config.
func (provider) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// DiffConfig never sees a change.
func (provider) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Configure needs no credentials.
func (provider) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

// Check takes any inputs.
func (provider) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

// Diff compares inputs.
func (provider) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	if proto.Equal(r.GetOldInputs(), r.GetNews()) {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME}, nil
}

// Create gives a resource an ID.
func (provider) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	out, err := outputs(r.GetType(), r.GetName(), r.GetProperties(), r.GetPreview())
	return &pulumirpc.CreateResponse{Id: r.GetName() + "-id", Properties: out}, err
}

// Update takes the new inputs.
func (provider) Update(_ context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	out, err := outputs(r.GetType(), r.GetName(), r.GetNews(), r.GetPreview())
	return &pulumirpc.UpdateResponse{Properties: out}, err
}

// Delete forgets.
func (provider) Delete(context.Context, *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// Cancel has nothing under way.
func (provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// outputs are what the cloud would add; in a preview nothing is known.
func outputs(kind, name string, in *structpb.Struct, preview bool) (*structpb.Struct, error) {
	if preview {
		return in, nil
	}
	options := plugin.MarshalOptions{KeepUnknowns: true, SkipNulls: true}
	properties, err := plugin.UnmarshalProperties(in, options)
	if err != nil {
		return nil, err
	}
	return plugin.MarshalProperties(standin.Outputs(kind, name, properties), options)
}
