// Runs other programs.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading.Tasks;

namespace Flagstone.Tests.Support;

/// <summary>What a program left behind.</summary>
internal sealed record Ended(int ExitCode, string Output, string Errors)
{
    internal Ended MustSucceed() =>
        ExitCode == 0 ? this : throw new InvalidOperationException($"exit code {ExitCode}\n{Output}\n{Errors}");
}

internal static class Programs
{
    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(15);

    internal static Ended Run(string program, params string[] arguments) => Run(program, arguments, null, null);

    /// <summary>Runs a program to its end. Variables of the project and the runtime's own are not inherited.</summary>
    internal static Ended Run(
        string program, string[] arguments, string? folder, IReadOnlyDictionary<string, string?>? variables)
    {
        ProcessStartInfo start = new(program)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? "",
        };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }
        // Variables of this test run must not reach programs that are tests of their own.
        start.Environment.Remove("FLAGSTONE_LIBRARY_PATH");
        start.Environment.Remove("MSBUILDNODECONNECTION");
        foreach ((string name, string? value) in variables ?? new Dictionary<string, string?>())
        {
            start.Environment[name] = value;
        }
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_longest))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} does not end");
        }
        process.WaitForExit();
        return new Ended(process.ExitCode, output.GetAwaiter().GetResult(), errors.GetAwaiter().GetResult());
    }
}
