// What an earlier measurement found for LaunchDarkly's .NET SDK, for machines on which its packages cannot be restored.
namespace Flagstone.Bench;

internal static class Quoted
{
    internal const string Text = """

        Left out, as the packages could not be restored: every row of LaunchDarkly.ServerSdk 8.16.0 with
        LaunchDarkly.ServerSdk.Redis 5.1.1, and with them all ratios. Quoted from an earlier measurement on another day, not
        measured in this run (1,000 flags with one rule, a context of five attributes, events off, Redis 7.0 on the same machine,
        .NET 10.0.12, two busy cores):

        | Quoted, not measured | Time of a `BoolVariation` | Bytes |
        | --- | --- | --- |
        | test data source, memory store | 790-910 ns | 504 |
        | Redis store, daemon mode, cached for 15 s | 870-1,000 ns | 528 |
        | the same, cached forever | 1,420-1,650 ns | 528 |
        | the same, not cached | 180,000-206,000 ns | 3,639 |

        | Quoted, not measured, cached forever | Time | Bytes |
        | --- | --- | --- |
        | context of five attributes | 460-490 ns | 640 |
        | request of 1, of 5, of 20 flags | 1.2, 4.0, 14.4 us | 1,168, 3,280, 11,200 |
        """;
}
