// The test service itself: bad requests get the status that the harness's contract names, and nothing outlives its end. What it
// answers to good requests is what the harness judges.
using System;
using System.Diagnostics;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Text;
using System.Text.Json;
using System.Threading.Tasks;
using Flagstone.Tests.Support;
using Xunit;

namespace Flagstone.Tests;

public sealed class ContractServiceTests : IDisposable
{
    /// <summary>Nothing listens there, so the client is not ready; a test that reached a Redis would be at its mercy.</summary>
    private const string Daemon = """
        "credential":"sdk-key","startWaitTimeMs":1,
        "persistentDataStore":{"store":{"type":"redis","dsn":"redis://127.0.0.1:1"},"cache":{"mode":"off"}}
        """;

    private readonly Process _service = Start();
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(60) };

    public ContractServiceTests() => _http.BaseAddress = new Uri(_service.StandardOutput.ReadLine()!);

    public void Dispose()
    {
        _service.Kill();
        _service.WaitForExit();
        _service.Dispose();
        _http.Dispose();
    }

    [Fact]
    public async Task Bad_requests_get_the_status_that_the_contract_names()
    {
        foreach (string body in (string[])
        [
            "", "{", "[]", "null", "{}", """{"configuration":3}""", """{"configuration":{}}""",
            """{"configuration":{"credential":3}}""", """{"configuration":{"credential":"a","startWaitTimeMs":"1"}}""",
            """{"configuration":{"credential":"a","streaming":{"initialRetryDelayMs":-1}}}""",
            """{"configuration":{"credential":"a","proxy":{"httpProxy":"\ud800"}}}""",
            """{"configuration":{"credential":"a","persistentDataStore":{}}}""",
            Configured(Daemon.Replace("off", "?", StringComparison.Ordinal)),
            Configured(Daemon.Replace("off", "ttl", StringComparison.Ordinal)),
            new('[', 100_000),
        ])
        {
            Assert.Equal((HttpStatusCode.BadRequest, body), (await SendAsync(HttpMethod.Post, "/", body), body));
        }
        string consul = Configured(Daemon.Replace("\"redis\"", "\"consul\"", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.NotImplemented, await SendAsync(HttpMethod.Post, "/", consul));
        Assert.Equal(HttpStatusCode.NotFound, await SendAsync(HttpMethod.Post, "/clients/1", """{"command":"flushEvents"}"""));
        Assert.Equal(HttpStatusCode.NotFound, await SendAsync(HttpMethod.Delete, "/clients/1", ""));
        Assert.Equal(HttpStatusCode.NotFound, await SendAsync(HttpMethod.Get, "/elsewhere", ""));
        string client = await OpenAsync();
        foreach (string command in (string[])
        [
            """{"command":"unknown"}""", """{"command":"evaluate"}""", "{}",
            """{"command":"evaluate","evaluate":{"flagKey":"f","valueType":"colour"}}""",
            """{"command":"evaluate","evaluate":{"flagKey":"f","valueType":"bool","defaultValue":"yes"}}""",
            """{"command":"evaluate","evaluate":{"flagKey":"f","valueType":"int","defaultValue":2.5}}""",
            """{"command":"identifyEvent","identifyEvent":{"context":{"kind":""}}}""",
            """{"command":"migrationVariation","migrationVariation":{"key":"f","context":{"key":"a"},"defaultStage":"far"}}""",
        ])
        {
            Assert.Equal((HttpStatusCode.BadRequest, command), (await SendAsync(HttpMethod.Post, client, command), command));
        }
        Assert.Equal(HttpStatusCode.NoContent, await SendAsync(HttpMethod.Delete, client, ""));
        Assert.Equal(HttpStatusCode.NotFound, await SendAsync(HttpMethod.Delete, client, ""));
    }

    [Theory]
    [InlineData("DELETE")]
    [InlineData("-TERM")]
    [InlineData("-INT")]
    public async Task It_tells_what_it_can_do_and_ends_when_it_is_told_to(string how)
    {
        using JsonDocument description = JsonDocument.Parse(await _http.GetStringAsync(new Uri("/", UriKind.Relative)));
        Assert.Equal("flagstone-dotnet", description.RootElement.GetProperty("name").GetString());
        Assert.Contains(
            description.RootElement.GetProperty("capabilities").EnumerateArray(), item => item.GetString() == "big-segments");
        await OpenAsync();
        if (how == "DELETE")
        {
            Assert.Equal(HttpStatusCode.NoContent, await SendAsync(HttpMethod.Delete, "/", ""));
        }
        else
        {
            Programs.Run("kill", how, $"{_service.Id}").MustSucceed();
        }
        Assert.True(_service.WaitForExit(60_000));
        Assert.Equal((0, ""), (_service.ExitCode, await _service.StandardOutput.ReadToEndAsync()));
    }

    private static Process Start()
    {
        ProcessStartInfo start = new("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList =
            {
                $"{Project.Target}dotnet/contract/bin/ContractService/{Project.Configuration.ToLowerInvariant()}/ContractService.dll",
                "--port", "0",
            },
        };
        Process service = Process.Start(start)!;
        service.BeginErrorReadLine();
        return service;
    }

    private static string Configured(string configuration) => $"{{\"tag\":\"test\",\"configuration\":{{{configuration}}}}}";

    private async Task<string> OpenAsync()
    {
        using StringContent content = new(Configured(Daemon));
        using HttpResponseMessage response = await _http.PostAsync(new Uri("/", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        return response.Headers.Location!.ToString();
    }

    private async Task<HttpStatusCode> SendAsync(HttpMethod method, string path, string body)
    {
        using HttpRequestMessage request = new(method, new Uri(path, UriKind.Relative))
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        using HttpResponseMessage response = await _http.SendAsync(request);
        return response.StatusCode;
    }
}
