// The example application as its users run it: a program of its own, with flags that change under it.
using System;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http;
using System.Threading;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class ExampleTests
{
    private const string Flag = "checkout.new-payment-form";

    [Fact]
    public async Task The_example_application_follows_the_flags_and_ends_in_order()
    {
        using RedisServer server = new();
        using TestEnvironment environment = new(server);
        environment.Write(ForSweden(1, false));
        using Application application = new(server.Url, environment.Prefix);
        Assert.Equal("old payment form", await application.GetAsync("/checkout?user=ada&country=se"));

        environment.Write(ForSweden(2, true));
        Assert.True(await Eventually.IsTrueAsync(
            () => application.Get("/checkout?user=ada&country=se") == "new payment form"));
        Assert.Equal("old payment form", await application.GetAsync("/checkout?user=bob&country=no"));
        Assert.Equal("old payment form", await application.GetAsync("/checkout?user=eve"));
        Assert.Equal(
            """{"value":false,"reason":"FALLTHROUGH","stale":false}""", await application.GetAsync($"/flags/{Flag}?user=ada"));
        Assert.Equal(
            """{"value":null,"reason":"ERROR(FLAG_NOT_FOUND)","stale":false}""",
            await application.GetAsync("/flags/none?user=ada"));
        Assert.Equal("Healthy", await application.GetAsync("/health"));

        server.Kill();
        Assert.True(await Eventually.IsTrueAsync(
            () => application.Get("/health") == "Degraded"));
        Assert.Equal("new payment form", await application.GetAsync("/checkout?user=ada&country=se"));
        Assert.Equal(0, application.End());
    }

    [Fact]
    public async Task Without_Redis_the_example_application_serves_defaults_and_says_that_it_is_not_ready()
    {
        using Application application = new($"redis://127.0.0.1:{RedisServer.FreePort()}", "none");
        Assert.Equal("old payment form", await application.GetAsync("/checkout?user=ada&country=se"));
        using HttpResponseMessage health = await application.RequestAsync("/health");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Equal("Unhealthy", await health.Content.ReadAsStringAsync());
        Assert.Contains("no flags within 5 s", application.Output, StringComparison.Ordinal);
        Assert.Equal(0, application.End());
    }

    /// <summary>True for visitors from Sweden, once it is on; false for all others.</summary>
    private static (string Key, string Json) ForSweden(int version, bool on) => Flags.With(
        Flag, version,
        $$"""
        "on":{{(on ? "true" : "false")}},
        "rules":[{"variation":1,"clauses":[{"attribute":"country","op":"in","values":["se"]}]}]
        """,
        "false", "true");

    /// <summary>The running program.</summary>
    private sealed class Application : IDisposable
    {
        private const string Listening = "Now listening on: ";

        private static readonly string s_program =
            $"{Project.Binding}artifacts/bin/WebApp/{(Project.Configuration == "Debug" ? "debug" : "release")}/WebApp.dll";

        private readonly ConcurrentQueue<string> _lines = new();
        private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly HttpClient _browser = new() { Timeout = TimeSpan.FromSeconds(60) };
        private readonly Process _process;

        internal Application(string redisUrl, string prefix)
        {
            ProcessStartInfo start = new("dotnet")
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                ArgumentList = { s_program },
                Environment =
                {
                    ["ASPNETCORE_URLS"] = "http://127.0.0.1:0",
                    ["Flagstone__Redis__Url"] = redisUrl,
                    ["Flagstone__Redis__Prefix"] = prefix,
                    ["FLAGSTONE_LIBRARY_PATH"] = Project.Library,
                },
            };
            _process = Process.Start(start)!;
            _process.OutputDataReceived += (_, line) => Read(line.Data);
            _process.ErrorDataReceived += (_, line) => Read(line.Data);
            _process.BeginOutputReadLine();
            _process.BeginErrorReadLine();
            if (!_address.Task.Wait(TimeSpan.FromSeconds(90)))
            {
                Dispose();
                throw new TimeoutException($"the application does not start: {Output}");
            }
            _browser.BaseAddress = _address.Task.Result;
        }

        internal string Output => string.Join('\n', _lines);

        public void Dispose()
        {
            _browser.Dispose();
            if (!_process.HasExited)
            {
                _process.Kill();
                _process.WaitForExit();
            }
            _process.Dispose();
        }

        internal Task<HttpResponseMessage> RequestAsync(string path) => _browser.GetAsync(new Uri(path, UriKind.Relative));

        internal Task<string> GetAsync(string path) => _browser.GetStringAsync(new Uri(path, UriKind.Relative));

        internal string Get(string path) => GetAsync(path).GetAwaiter().GetResult();

        /// <summary>Ends the program as an operator does; its exit code.</summary>
        internal int End()
        {
            Programs.Run("kill", "-TERM", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)).MustSucceed();
            return _process.WaitForExit(TimeSpan.FromSeconds(60)) ? _process.ExitCode : throw new TimeoutException(Output);
        }

        private void Read(string? line)
        {
            if (line is null)
            {
                return;
            }
            _lines.Enqueue(line);
            int at = line.IndexOf(Listening, StringComparison.Ordinal);
            if (at >= 0)
            {
                _address.TrySetResult(new Uri(line[(at + Listening.Length)..].Trim()));
            }
        }
    }
}
