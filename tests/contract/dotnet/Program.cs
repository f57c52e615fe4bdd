// The test service of LaunchDarkly's contract tests: it lets the harness, which knows no .NET, use the .NET package.
//
// Every request becomes calls of the package's public interface; the service evaluates, caches and converts nothing itself, so
// that what the harness finds is a property of the package.
//
//     dotnet ContractService.dll [--port N]
//
// It says on standard output where it listens (port 0, the default: a free one), and ends on DELETE /, SIGTERM and SIGINT. All
// its clients are closed first.
using System.Globalization;
using System.Net;
using Flagstone.ContractService;

int port = 0;
if (args.Length != 0 && (args.Length != 2 || args[0] != "--port"
    || !int.TryParse(args[1], NumberStyles.None, CultureInfo.InvariantCulture, out port) || port > IPEndPoint.MaxPort))
{
    await Console.Error.WriteLineAsync("usage: ContractService [--port N]");
    return 2;
}

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
builder.WebHost.ConfigureKestrel(server => server.Listen(IPAddress.Loopback, port));
// Standard output says where it listens, and nothing else.
builder.Logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(2));
builder.Services.AddSingleton<Service>();
// Hooks and stores ask the harness while a command is being answered.
ThreadPool.SetMinThreads(32, 32);

await using WebApplication app = builder.Build();
Service service = app.Services.GetRequiredService<Service>();
app.Use(next => http => service.GuardAsync(http, next));
service.Map(app);
await app.StartAsync();
await Console.Out.WriteLineAsync(app.Urls.Single());
await app.WaitForShutdownAsync();
return 0;
