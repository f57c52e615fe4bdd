// Counters, gauges and versions, as those get them who measure a client.
using System;
using System.Threading.Tasks;
using Xunit;

namespace Flagstone.Tests;

public sealed class ReportingTests
{
    [Fact]
    public async Task Metrics_count_evaluations_by_flag_and_variation_and_versions_are_those_held()
    {
        using TestData data = new();
        data.Update(data.Flag("yes").VariationForAll(true));
        FlagstoneClient client = new(new FlagstoneOptions { TestData = data, MetricsEvaluations = true });
        await using (client)
        {
            Assert.True(await client.StartAsync(TestContext.Current.CancellationToken));
            Context ada = Context.New("ada");
            Assert.True(client.BoolVariation("yes", ada, false));
            Assert.True(client.BoolVariationDetail("yes", ada, false).Value);
            string text = client.GetMetricsText();
            Assert.Contains("flagstone_evaluations_total{flag=\"yes\",variation=\"0\"} 2\n", text, StringComparison.Ordinal);
            Assert.Contains("flagstone_client_state{state=\"VALID\"} 1\n", text, StringComparison.Ordinal);
            Assert.Equal(1, client.GetFlagVersion("yes"));
            Assert.Null(client.GetFlagVersion("unknown"));
            Assert.Null(client.GetFlagVersion(""));
            Assert.Throws<ArgumentNullException>(() => client.GetFlagVersion(null!));
        }
        Assert.Throws<ObjectDisposedException>(() => client.GetMetricsText());
    }
}
